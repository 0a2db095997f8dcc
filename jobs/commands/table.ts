import { Command, Option } from "commander";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { openStore } from "../../lakehouse/lake.ts";
import type { GlobalOptions } from "../runtime.ts";
import { createWriter, type OutputFormat } from "../terminal/formats.ts";
import { jsonText } from "../terminal/json-text.ts";
import { renderTable } from "../terminal/table.ts";
import { wholeNumber } from "./number-options.ts";
import { writeRows } from "./write-rows.ts";

interface CatOptions extends GlobalOptions {
  readonly version?: number;
  readonly format: OutputFormat;
}

/** Commands for any Delta table by its path, in a lake or not; they need no configuration. */
export const tableCommand = () =>
  new Command("table")
    .description("Look into any Delta table by its path.")
    .addCommand(catCommand())
    .addCommand(historyCommand());

const catCommand = () =>
  new Command("cat")
    .description("Print all rows of a version.")
    .argument("<path>", "folder of the table, the one with _delta_log inside")
    .option("--version <number>", "version; the newest by default", wholeNumber)
    .addOption(new Option("--format <format>", "output").choices(["jsonl", "csv"]).default("jsonl"))
    .addHelpText(
      "after",
      "\nExamples:\n  ingot table cat lake/commerce/gold/daily_revenue\n  ingot table cat lake/commerce/silver/orders --version 3 --format csv",
    )
    .action((path: string, _options: object, command: Command) =>
      withTable(path, async (table, duckdb) => {
        const { version, format } = command.optsWithGlobals<CatOptions>();
        const snapshot = await table.existingSnapshot(version);
        const session = await duckdb.session();
        const { columns, chunks } = await session.stream(await scanSql(table.store, scannable(snapshot)));
        await writeRows(process.stdout, createWriter(format, columns), chunks);
        await session.close();
      }),
    );

const historyCommand = () =>
  new Command("history")
    .description("Print the commits of a table, newest first.")
    .argument("<path>", "folder of the table, the one with _delta_log inside")
    .addHelpText("after", "\nExamples:\n  ingot table history lake/commerce/bronze/orders --json")
    .action((path: string, _options: object, command: Command) =>
      withTable(path, async (table) => {
        await table.existingSnapshot();
        const history = await table.history();
        if (command.optsWithGlobals<GlobalOptions>().json) {
          process.stdout.write(`${jsonText(history)}\n`);
          return;
        }
        const names = ["version", "time", "operation", "files", "removed", "rows", "engine"];
        const rows = history.map((h) => [
          h.version,
          h.timestamp === undefined ? null : new Date(h.timestamp),
          h.operation ?? null,
          h.addedFiles,
          h.removedFiles,
          Number(h.operationMetrics?.numOutputRows ?? Number.NaN) || null,
          h.engineInfo ?? null,
        ]);
        const columns = names.map((name) => ({ name }));
        process.stdout.write(`${renderTable({ columns, rows }, { width: process.stdout.columns ?? 120 })}\n`);
      }),
    );

async function withTable(
  path: string,
  work: (table: DeltaTable, duckdb: DuckDb) => Promise<void>,
): Promise<void> {
  const duckdb = await DuckDb.open({
    memoryMb: 512,
    threads: 2,
    keepOrder: true,
  });
  try {
    await work(new DeltaTable(openStore(path), duckdb), duckdb);
  } finally {
    duckdb.close();
  }
}
