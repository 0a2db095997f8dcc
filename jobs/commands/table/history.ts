import { Command } from "commander";
import type { HistoryEntry } from "../../../lakehouse/delta/table.ts";
import type { GlobalOptions } from "../../runtime.ts";
import { wholeNumber } from "../number-options.ts";
import { TABLE_ARGUMENT, withTable } from "./open-table.ts";
import { printResult, tableText } from "./print.ts";

interface Options extends GlobalOptions {
  readonly limit: number;
}

export const historyCommand = () =>
  new Command("history")
    .description("Print the commits of a table, newest first.")
    .argument(...TABLE_ARGUMENT)
    .option("--limit <commits>", "at most so many", wholeNumber, 1000)
    .addHelpText(
      "after",
      "\nExamples:\n  ingot table history lake/commerce/bronze/orders --limit 20\n  ingot table history commerce.bronze.orders --json",
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withTable(name, options, async ({ table }) => {
        await table.existingSnapshot();
        printResult(options, await table.history(options.limit), render);
      });
    });

function render(history: readonly HistoryEntry[]): string {
  const columns = [
    { name: "version", type: "BIGINT" },
    { name: "time", type: "TIMESTAMP" },
    { name: "operation" },
    { name: "files", type: "BIGINT" },
    { name: "removed", type: "BIGINT" },
    { name: "rows", type: "BIGINT" },
    { name: "engine" },
  ];
  const rows = history.map((entry) => [
    entry.version,
    new Date(entry.committedAt),
    entry.operation ?? null,
    entry.addedFiles,
    entry.removedFiles,
    rowsOf(entry),
    entry.engineInfo ?? null,
  ]);
  return tableText({ columns, rows });
}

/** Rows that the commit wrote or took away, as its engine counted them; null where it does not say. */
function rowsOf({ operationMetrics = {} }: HistoryEntry): number | null {
  for (const name of ["numDeletedRows", "numUpdatedRows", "numOutputRows"]) {
    const count = Number(operationMetrics[name] ?? Number.NaN);
    if (Number.isFinite(count)) return count;
  }
  return null;
}
