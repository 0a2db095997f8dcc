import { Command, InvalidArgumentError } from "commander";
import { type ConvertResult, convertToDelta } from "../../../lakehouse/delta/maintain/convert.ts";
import type { GlobalOptions } from "../../runtime.ts";
import { formatBytes } from "../../terminal/numbers.ts";
import { printable } from "../../terminal/text.ts";
import { withTable } from "./open-table.ts";
import { counted, printResult } from "./print.ts";

interface Options extends GlobalOptions {
  readonly partitionBy?: Readonly<Record<string, string>>;
  readonly property?: Readonly<Record<string, string>>;
  readonly description?: string;
}

export const convertCommand = () =>
  new Command("convert")
    .description("Make a Delta table of a folder of Parquet files, in place, without rewriting them.")
    .argument("<folder>", "folder or s3:// address of the Parquet files")
    .option(
      "--partition-by <types>",
      "types of folder names k=v, by default inferred: day DATE, region STRING",
      columnTypes,
    )
    .option("--property <key=value>", "table property; may be given several times", property)
    .option("--description <text>", "what the table holds")
    .addHelpText(
      "after",
      '\nNobody may write to the folder meanwhile.\n\nExamples:\n  ingot table convert data/events\n  ingot table convert s3://bucket/events --partition-by "day DATE, hour INTEGER" --property delta.enableDeletionVectors=true',
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { partitionBy, property: properties, description } = options;
      await withTable(name, options, async ({ table, onProgress, endProgress }) => {
        const result = await convertToDelta(table, {
          onProgress,
          ...(partitionBy === undefined ? {} : { partitionTypes: partitionBy }),
          ...(properties === undefined ? {} : { properties }),
          ...(description === undefined ? {} : { description }),
        });
        endProgress();
        printResult(options, result, render);
      });
    });

function render({ files, bytes, rows, schema, partitionColumns, others }: ConvertResult): string {
  const columns = counted(schema.fields.length, "column");
  const by = partitionColumns.length > 0 ? `, partitioned by ${partitionColumns.join(", ")}` : "";
  const lines = [
    `${counted(files, "file")} (${formatBytes(bytes)}, ${counted(rows, "row")}, ${columns}${by}) are a table now: version 0`,
    ...others.map((path) => `not part of it, and gone after the first vacuum: ${printable(path)}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** Delta's types by the names that SQL has for them. */
const TYPES: Readonly<Record<string, string>> = {
  string: "string",
  varchar: "string",
  text: "string",
  long: "long",
  bigint: "long",
  integer: "integer",
  int: "integer",
  short: "short",
  smallint: "short",
  byte: "byte",
  tinyint: "byte",
  double: "double",
  float: "float",
  boolean: "boolean",
  date: "date",
  timestamp: "timestamp",
  timestamp_ntz: "timestamp_ntz",
};

function columnTypes(text: string): Record<string, string> {
  const entries = text.split(/,(?![^(]*\))/).map((part) => {
    const [, name, written = ""] = /^\s*(.+?)[\s:]+([a-z_]+(?:\(\d+,\s*\d+\))?)\s*$/i.exec(part) ?? [];
    const type = /^decimal\(/i.test(written) ? written.toLowerCase() : TYPES[written.toLowerCase()];
    if (name === undefined || type === undefined) {
      throw new InvalidArgumentError(
        `It takes columns with types, such as "day DATE, region STRING"; types are ${Object.keys(TYPES).join(", ")}, decimal(p,s).`,
      );
    }
    return [name.replace(/^"(.*)"$/, "$1"), type];
  });
  return Object.fromEntries(entries);
}

function property(text: string, given: Readonly<Record<string, string>> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at <= 0) throw new InvalidArgumentError("It takes a key and a value, such as delta.appendOnly=true.");
  return { ...given, [text.slice(0, at)]: text.slice(at + 1) };
}
