/** Ingot's increment beside dbt's: the same changed orders, both as whole processes, and the same figures afterwards. */
import { join } from "node:path";
import { formatDuration } from "../../jobs/terminal/numbers.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { median, rounded, runChild, timed } from "./bench.ts";
import type { BenchShop } from "./incremental-shop.ts";
import { DbtFailed, DbtShop, findDbt } from "./peers/dbt-shop.ts";

const CHILD = new URL("../../bench/incremental-child.js", import.meta.url);

interface PeerSetting {
  readonly shop: BenchShop;
  /** Of the shop. */
  readonly folder: string;
  readonly orders: number;
  readonly duckdb: DuckDb;
  readonly memoryMb: number;
  readonly rounds: number;
  readonly say: (line: string) => void;
}

/**
 * `peerSpeedup`: dbt's time as a multiple of ours, both from the start of the process to its end; `peerSpeedupInside`:
 * without the start, as each process measures itself. Nothing where dbt is not installed, or fails.
 */
export async function againstDbt(setting: PeerSetting): Promise<Readonly<Record<string, number>>> {
  const { folder, duckdb, memoryMb, say } = setting;
  const programs = findDbt();
  if (programs === undefined) {
    say("dbt is not installed (bash scripts/bench/install-peers.sh): measured without it");
    return {};
  }
  try {
    return await byTurns(setting, new DbtShop(programs, join(folder, "dbt"), duckdb, memoryMb));
  } catch (error) {
    if (!(error instanceof DbtFailed)) throw error;
    say(`dbt is left out, it ${error.message}`);
    return {};
  }
}

async function byTurns(setting: PeerSetting, dbt: DbtShop): Promise<Readonly<Record<string, number>>> {
  const { shop, folder, orders, memoryMb, rounds, say } = setting;
  const first = await dbt.prepare(shop);
  say(`dbt built all models in ${formatDuration(first.milliseconds)}`);
  const runs: { ownMs: number; ownInsideMs: number; dbtMs: number; dbtInsideMs: number }[] = [];
  // The first turn warms up: the files of both are in the system's memory then, and dbt has read its project once.
  for (let round = 0; round <= rounds; round++) {
    await shop.change();
    await dbt.take(shop);
    const own = await timed(() => runChild(CHILD, [folder, String(orders), String(memoryMb)]));
    const peer = await dbt.run();
    const [kept, other] = [await shop.digest(), await dbt.digest()];
    if (kept !== other) throw new Error(`Ingot:\n${kept}\ndbt:\n${other}`);
    const run = {
      ownMs: own.milliseconds,
      ownInsideMs: own.result.milliseconds,
      dbtMs: peer.milliseconds,
      dbtInsideMs: peer.insideMs,
    };
    // In what is shipped as one file, a contract's functions have another text: once, their models are made anew.
    if (round > 0 && own.result.rows > 0) throw new Error(`${own.result.rows} models were made anew`);
    if (round > 0) runs.push(run);
    say(
      `round ${round}, whole processes: Ingot ${formatDuration(run.ownMs)}, dbt ${formatDuration(run.dbtMs)}; inside ${formatDuration(run.ownInsideMs)} and ${formatDuration(run.dbtInsideMs)}`,
    );
  }
  const middle = (figure: (run: (typeof runs)[number]) => number) => median(runs.map(figure));
  const figures = {
    peerSpeedup: rounded(middle((run) => run.dbtMs / run.ownMs)),
    peerSpeedupInside: rounded(middle((run) => run.dbtInsideMs / run.ownInsideMs)),
    processMs: Math.round(middle((run) => run.ownMs)),
    insideMs: Math.round(middle((run) => run.ownInsideMs)),
    peerMs: Math.round(middle((run) => run.dbtMs)),
    peerInsideMs: Math.round(middle((run) => run.dbtInsideMs)),
  };
  say(
    `the same figures in gold; dbt takes ${figures.peerSpeedup} × our time, ${figures.peerSpeedupInside} × without the start of the processes`,
  );
  return figures;
}
