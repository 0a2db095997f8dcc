import { Command } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { SimulateResult } from "../../layers/definition/pipeline.ts";
import { interruption } from "../cleanup.ts";
import { type GlobalOptions, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { groupDigits } from "../terminal/numbers.ts";
import { renderTable } from "../terminal/table.ts";
import { terminalWidth } from "../terminal/terminal-size.ts";
import { wholeNumber } from "./number-options.ts";

interface Options extends GlobalOptions {
  readonly rate: number;
  readonly journeys?: number;
  readonly seed: number;
}

export const simulateCommand = () =>
  new Command("simulate")
    .description("Go on changing the source as the real system would, until Ctrl-C or a number of journeys.")
    .argument("<pipeline>", "name of the pipeline")
    .option("--rate <journeys>", "user journeys a second; 0 is as fast as it goes", wholeNumber, 20)
    .option("--journeys <count>", "stop after so many", wholeNumber)
    .option("--seed <number>", "the same seed on the same data gives the same run", wholeNumber, 1)
    .addHelpText(
      "after",
      "\nExamples:\n  ingot simulate commerce --rate 50\n  ingot simulate commerce --rate 0 --journeys 2000",
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withRuntime(options, async (runtime) => {
        const [pipeline] = runtime.pipelines(name);
        if (pipeline?.simulate === undefined) {
          throw new TerminalError(`pipeline ${name} has no simulation`, {
            code: "PIPELINE_NO_SIMULATE",
            value: name,
            next: "Change its database as you like, then `ingot run`.",
          });
        }
        const connectionString = await runtime.database();
        const { rate, seed, journeys } = options;
        const result = await pipeline.simulate(
          { connectionString, signal: interruption.signal, onProgress: runtime.onProgress },
          { rate, seed, ...(journeys === undefined ? {} : { journeys }) },
        );
        runtime.endProgress();
        process.stdout.write(options.json ? `${jsonText(result)}\n` : describeChanges(result));
      });
    });

/** A table of what was changed. */
export function describeChanges({ journeys, changes }: SimulateResult): string {
  const columns = [
    { name: "table" },
    { name: "inserted", type: "BIGINT" },
    { name: "updated", type: "BIGINT" },
    { name: "deleted", type: "BIGINT" },
  ];
  const rows = Object.entries(changes).map(([table, c]) => [table, c.inserted, c.updated, c.deleted]);
  const width = terminalWidth(process.stdout, 100);
  return `${groupDigits(journeys)} journeys\n${renderTable({ columns, rows }, { width })}\n`;
}
