import { Command, Option } from "commander";
import { changeFeedSql } from "../../../lakehouse/delta/change/change-feed.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { GlobalOptions } from "../../runtime.ts";
import { createWriter, type OutputFormat } from "../../terminal/formats.ts";
import { wholeNumber } from "../number-options.ts";
import { writeRows } from "../write-rows.ts";
import { TABLE_ARGUMENT, withTable } from "./open-table.ts";

interface Options extends GlobalOptions {
  readonly from: number;
  readonly to?: number;
  readonly format: OutputFormat;
}

export const changesCommand = () =>
  new Command("changes")
    .description("Print which rows came, went and changed from version to version.")
    .argument(...TABLE_ARGUMENT)
    .requiredOption("--from <version>", "first version whose changes to print", wholeNumber)
    .option("--to <version>", "last one; the newest by default", wholeNumber)
    .addOption(new Option("--format <format>", "output").choices(["jsonl", "csv"]).default("jsonl"))
    .addHelpText(
      "after",
      "\nThe columns _change_type, _commit_version and _commit_timestamp say what happened to a row, and when. A table\nwithout delta.enableChangeDataFeed shows the rows of rewritten files as deleted and inserted.\n\nExamples:\n  ingot table changes commerce.silver.orders --from 3\n  ingot table changes lake/commerce/silver/orders --from 3 --to 3 --format csv",
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withTable(name, { ...options, keepOrder: true }, async ({ table }) => {
        const newest = (await table.existingSnapshot()).version;
        const { from, to = newest } = options;
        checkRange(from, to, newest);
        const sql = await changeFeedSql(table, from, to);
        const session = await table.duckdb.session();
        const { columns, chunks } = await session.stream(`SELECT * FROM (${sql}) ORDER BY _commit_version`);
        await writeRows(
          process.stdout,
          createWriter(options.json ? "json" : options.format, columns),
          chunks,
        );
        await session.close();
      });
    });

function checkRange(from: number, to: number, newest: number): void {
  if (from <= to && to <= newest) return;
  throw new TerminalError("there are no such versions to tell the changes of", {
    code: "DELTA_NO_SUCH_VERSION",
    value: `${from} to ${to}`,
    allowed: `versions up to ${newest}, --from not after --to`,
    next: "`ingot table history` lists the versions.",
  });
}
