import { Command } from "commander";
import { CONSTRAINT_PREFIX } from "../../../lakehouse/delta/constraints.ts";
import { featuresOf } from "../../../lakehouse/delta/protocol.ts";
import type { DataType } from "../../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { styleFor } from "../../terminal/style.ts";
import { printable } from "../../terminal/text.ts";
import { TABLE_ARGUMENT, withTable } from "./open-table.ts";
import { printResult, tableText } from "./print.ts";
import { asOf, timestampOption, type VersionOptions, versionOption } from "./version-options.ts";

export const schemaCommand = () =>
  new Command("schema")
    .description("Print columns, partitioning, constraints, properties and protocol of a version.")
    .argument(...TABLE_ARGUMENT)
    .addOption(versionOption())
    .addOption(timestampOption())
    .addHelpText(
      "after",
      "\nExamples:\n  ingot table schema commerce.silver.orders\n  ingot table schema lake/commerce/silver/orders --version 3 --json",
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<VersionOptions>();
      await withTable(name, options, async ({ table }) => {
        const snapshot = await table.at(asOf(options));
        printResult(options, describe(table.store.root, snapshot), render);
      });
    });

type Described = ReturnType<typeof describe>;

function describe(location: string, { version, metadata, protocol, schema, transactions }: Snapshot) {
  const entries = Object.entries(metadata.configuration);
  return {
    location,
    version,
    name: metadata.name,
    description: metadata.description,
    columns: schema.fields.map((f) => ({
      name: f.name,
      type: typeText(f.type),
      nullable: f.nullable,
      partition: metadata.partitionColumns.includes(f.name),
      comment: typeof f.metadata.comment === "string" ? f.metadata.comment : undefined,
    })),
    partitionColumns: metadata.partitionColumns,
    constraints: Object.fromEntries(
      entries.flatMap(([key, sql]) =>
        key.startsWith(CONSTRAINT_PREFIX) ? [[key.slice(CONSTRAINT_PREFIX.length), sql]] : [],
      ),
    ),
    properties: Object.fromEntries(entries.filter(([key]) => !key.startsWith(CONSTRAINT_PREFIX))),
    protocol: { reader: protocol.minReaderVersion, writer: protocol.minWriterVersion },
    features: [...featuresOf(protocol)].sort(),
    applications: Object.fromEntries([...transactions.values()].map((txn) => [txn.appId, txn.version])),
  };
}

function render(table: Described): string {
  const style = styleFor();
  const columns = ["column", "type", "nullable", "partition", "comment"].map((name) => ({ name }));
  const rows = table.columns.map((c) => [
    c.name,
    c.type,
    c.nullable ? "yes" : "no",
    c.partition ? `${table.partitionColumns.indexOf(c.name) + 1}` : "",
    c.comment ?? "",
  ]);
  const lines = [
    `${style.bold(printable(table.location))} version ${table.version}`,
    ...(table.description === undefined ? [] : [printable(table.description)]),
    tableText({ columns, rows }).trimEnd(),
    `protocol     reader ${table.protocol.reader}, writer ${table.protocol.writer}`,
    `features     ${table.features.join(", ") || "none"}`,
    ...section("constraints", table.constraints, ": "),
    ...section("properties", table.properties, " = "),
    ...section("recorded", table.applications, " at "),
  ];
  return `${lines.join("\n")}\n`;
}

/** A line an entry, the first with the section's name. */
function section(
  name: string,
  entries: Readonly<Record<string, string | number>>,
  between: string,
): string[] {
  return Object.entries(entries).map(
    ([key, value], i) => `${(i === 0 ? name : "").padEnd(13)}${printable(`${key}${between}${value}`)}`,
  );
}

/** A type as SQL of Spark writes it: `array<struct<a:integer>>`. */
function typeText(type: DataType): string {
  if (typeof type === "string") return type;
  if (type.type === "array") return `array<${typeText(type.elementType)}>`;
  if (type.type === "map") return `map<${typeText(type.keyType)},${typeText(type.valueType)}>`;
  return `struct<${type.fields.map((f) => `${f.name}:${typeText(f.type)}`).join(",")}>`;
}
