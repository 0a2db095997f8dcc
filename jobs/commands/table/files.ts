import { Command } from "commander";
import { z } from "zod";
import type { AddFile } from "../../../lakehouse/delta/actions.ts";
import { selectFiles } from "../../../lakehouse/delta/change/select-files.ts";
import { numberText, parseLossless } from "../../../lakehouse/delta/skip/lossless-json.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { rowCount } from "../../../lakehouse/delta/stats.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { formatBytes, groupDigits } from "../../terminal/numbers.ts";
import { TABLE_ARGUMENT, withTable } from "./open-table.ts";
import { counted, printResult, tableText } from "./print.ts";
import { asOf, timestampOption, type VersionOptions, versionOption } from "./version-options.ts";

interface Options extends VersionOptions {
  readonly stats?: boolean;
  readonly where?: string;
}

export const filesCommand = () =>
  new Command("files")
    .description("Print the data files of a version.")
    .argument(...TABLE_ARGUMENT)
    .addOption(versionOption())
    .addOption(timestampOption())
    .option("--stats", "also print least and greatest values")
    .option("--where <sql>", "only files that may hold rows of this condition")
    .addHelpText(
      "after",
      "\nExamples:\n  ingot table files commerce.silver.orders --stats\n  ingot table files lake/commerce/silver/orders --where \"day = '2026-01-31'\" --json",
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withTable(name, options, async ({ table }) => {
        const snapshot = await table.at(asOf(options));
        const files = (await chosen(table, snapshot, options.where)).map((file) => describe(file, options));
        printResult(options, files, render);
      });
    });

async function chosen(table: DeltaTable, snapshot: Snapshot, where: string | undefined): Promise<AddFile[]> {
  if (where === undefined) return [...snapshot.files.values()];
  const { files, whole } = await selectFiles(table.duckdb, snapshot, where);
  return [...files, ...whole];
}

type Described = ReturnType<typeof describe>;

function describe(file: AddFile, { stats = false }: Options) {
  return {
    path: file.path,
    bytes: file.size,
    /** Rows in the file, deleted ones among them. */
    rows: rowCount(file),
    deletedRows: file.deletionVector?.cardinality ?? 0,
    partition: file.partitionValues,
    modifiedAt: new Date(file.modificationTime).toISOString(),
    ...(stats ? { bounds: boundsOf(file) } : {}),
  };
}

const boundsSchema = z.object({
  minValues: z.record(z.string(), z.unknown()).default({}),
  maxValues: z.record(z.string(), z.unknown()).default({}),
});

/** Least and greatest value by column; integers and decimals with all their digits. */
function boundsOf({ stats }: AddFile): Record<string, { min: unknown; max: unknown }> {
  if (stats === undefined) return {};
  let parsed: z.infer<typeof boundsSchema> | undefined;
  try {
    parsed = boundsSchema.safeParse(parseLossless(stats)).data;
  } catch {
    // Broken statistics say nothing.
  }
  const { minValues = {}, maxValues = {} } = parsed ?? {};
  return Object.fromEntries(
    Object.keys(minValues).map((column) => [
      column,
      { min: plain(minValues[column]), max: plain(maxValues[column]) },
    ]),
  );
}

/** Numbers that a double cannot hold are text. */
function plain(value: unknown): unknown {
  return typeof value === "number" ? value : (numberText(value) ?? value);
}

function render(files: readonly Described[]): string {
  const isPartitioned = files.some(({ partition }) => Object.keys(partition).length > 0);
  const hasDeleted = files.some(({ deletedRows }) => deletedRows > 0);
  const hasBounds = files.some((file) => "bounds" in file);
  const columns = [
    { name: "path" },
    { name: "size", type: "BIGINT" },
    { name: "rows", type: "BIGINT" },
    ...(hasDeleted ? [{ name: "deleted", type: "BIGINT" }] : []),
    ...(isPartitioned ? [{ name: "partition" }] : []),
    ...(hasBounds ? [{ name: "bounds" }] : []),
  ];
  const rows = files.map((file) => [
    file.path,
    formatBytes(file.bytes),
    file.rows ?? null,
    ...(hasDeleted ? [file.deletedRows] : []),
    ...(isPartitioned ? [pairs(file.partition)] : []),
    ...(hasBounds ? [boundsText(file.bounds ?? {})] : []),
  ]);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const live = files.reduce((sum, file) => sum + (file.rows ?? 0) - file.deletedRows, 0);
  return `${tableText({ columns, rows })}${counted(files.length, "file")}, ${formatBytes(bytes)}, ${groupDigits(live)} rows\n`;
}

function pairs(values: Readonly<Record<string, string | null>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value ?? "NULL"}`)
    .join(", ");
}

function boundsText(bounds: Readonly<Record<string, { min: unknown; max: unknown }>>): string {
  return Object.entries(bounds)
    .map(([name, { min, max }]) => `${name} ${String(min)} … ${String(max)}`)
    .join(", ");
}
