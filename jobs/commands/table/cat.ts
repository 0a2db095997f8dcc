import { Command, Option } from "commander";
import { TableSnapshot } from "../../../lakehouse/table/snapshot.ts";
import { createWriter, type OutputFormat } from "../../terminal/formats.ts";
import { wholeNumber } from "../number-options.ts";
import { writeRows } from "../write-rows.ts";
import { TABLE_ARGUMENT, withTable } from "./open-table.ts";
import { asOf, names, timestampOption, type VersionOptions, versionOption } from "./version-options.ts";

interface Options extends VersionOptions {
  readonly format: OutputFormat;
  readonly where?: string;
  readonly columns?: readonly string[];
  readonly limit?: number;
}

export const catCommand = () =>
  new Command("cat")
    .description("Print the rows of a version.")
    .argument(...TABLE_ARGUMENT)
    .addOption(versionOption())
    .addOption(timestampOption())
    .option("--where <sql>", "only rows that fulfil this condition")
    .option("--columns <names>", "only these columns, with commas between", names)
    .option("--limit <rows>", "at most so many rows", wholeNumber)
    .addOption(new Option("--format <format>", "output").choices(["jsonl", "csv"]).default("jsonl"))
    .addHelpText(
      "after",
      "\nExamples:\n  ingot table cat lake/commerce/gold/daily_revenue\n  ingot table cat commerce.silver.orders --version 3 --format csv\n  ingot table cat s3://bucket/orders --timestamp 2026-01-31 --where \"status = 'paid'\" --limit 10",
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { where, columns, limit } = options;
      await withTable(name, { ...options, keepOrder: true }, async ({ table }) => {
        const state = await table.at(asOf(options));
        const scan = await new TableSnapshot(table, state, (row) => row).scan({
          ...(where === undefined ? {} : { where }),
          ...(columns === undefined ? {} : { columns }),
        });
        const session = await table.duckdb.session();
        const rows = limit === undefined ? scan.sql : `SELECT * FROM (${scan.sql}\n) LIMIT ${limit}`;
        const result = await session.stream(rows);
        const writer = createWriter(options.json ? "json" : options.format, result.columns);
        await writeRows(process.stdout, writer, result.chunks);
        await session.close();
      });
    });
