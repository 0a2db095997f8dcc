/** `npm run bench -- NAME [--scale S] [--json]`: figures of this machine, each as a ratio measured in the same run. */
import { parseArgs } from "node:util";
import type { Bench } from "./bench.ts";
import { catchupBench } from "./catchup.ts";
import { cdcBench } from "./cdc.ts";
import { commitBench } from "./commit.ts";
import { contractBench } from "./contract.ts";
import { incrementalBench } from "./incremental.ts";
import { loadBench } from "./load.ts";
import { mergeBench } from "./merge.ts";
import { publishBench } from "./publish.ts";
import { scanBench } from "./scan.ts";

const BENCHES: Readonly<Record<string, Bench>> = {
  load: loadBench,
  commit: commitBench,
  merge: mergeBench,
  scan: scanBench,
  cdc: cdcBench,
  catchup: catchupBench,
  contract: contractBench,
  incremental: incrementalBench,
  publish: publishBench,
};

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      scale: { type: "string", default: "1" },
      rounds: { type: "string", default: "3" },
      json: { type: "boolean", default: false },
    },
  });
  const name = positionals[0] ?? "";
  const bench = BENCHES[name];
  const [scale, rounds] = [Number(values.scale), Number(values.rounds)];
  if (bench === undefined || !(scale > 0) || !(rounds >= 1)) {
    process.stderr.write(
      `usage: npm run bench -- NAME [--scale 0.1] [--rounds 3] [--json]\nNAME is one of: ${Object.keys(BENCHES).join(", ")}\n`,
    );
    process.exitCode = 2;
    return;
  }
  const figures = await bench({ scale, rounds, say: (line) => process.stdout.write(`${line}\n`) });
  if (values.json) process.stdout.write(`${JSON.stringify(figures)}\n`);
}

await main();
