/**
 * Statistics and partition values of a checkpoint in the types of their columns, beside or instead of their text
 * (PROTOCOL.md, "Checkpoints": `stats_parsed`, `partitionValues_parsed`), where the table's properties ask for it.
 */
import { identifier, literal } from "../../duckdb/quote.ts";
import { dataFields, layoutOf, nameInFiles, partitionFields } from "../layout.ts";
import { type DataType, duckdbType, type StructField } from "../schema.ts";
import type { Snapshot } from "../snapshot.ts";
import { ADD_FIELDS } from "./columns.ts";

/** What a table wants to have in its checkpoints. Text alone is the default. */
function statsForms({ configuration }: Snapshot["metadata"]): {
  readonly text: boolean;
  readonly struct: boolean;
} {
  return {
    text: configuration["delta.checkpoint.writeStatsAsJson"] !== "false",
    struct: configuration["delta.checkpoint.writeStatsAsStruct"] === "true",
  };
}

/** The SELECT list of a checkpoint's columns, from columns in the forms of `V1_COLUMNS` or `V2_COLUMNS`. */
export function checkpointSelect(snapshot: Snapshot, columns: readonly string[]): string {
  return columns
    .map((kind) => (kind === "add" ? `${addSql(snapshot)} AS "add"` : identifier(kind)))
    .join(", ");
}

function addSql(snapshot: Snapshot): string {
  const { text, struct } = statsForms(snapshot.metadata);
  if (text && !struct) return '"add"';
  const names = Object.keys(ADD_FIELDS).filter((name) => text || name !== "stats");
  const members = names.map((name) => `${identifier(name)} := ${field(name)}`);
  if (struct) members.push(...parsedMembers(snapshot));
  return `CASE WHEN "add" IS NOT NULL THEN struct_pack(${members.join(", ")}) END`;
}

const field = (name: string) => `struct_extract("add", ${literal(name)})`;

function parsedMembers({ metadata, schema }: Snapshot): string[] {
  const layout = layoutOf(metadata, schema);
  const data = dataFields(layout).slice(0, layout.indexedColumns);
  const name = (f: StructField) => nameInFiles(layout, f);
  const bounds = shape(data, name, boundType);
  const statistics = {
    numRecords: "BIGINT",
    tightBounds: "BOOLEAN",
    ...(bounds ? { minValues: bounds, maxValues: bounds } : {}),
    ...(data.length > 0 ? { nullCount: shape(data, name, () => "BIGINT") } : {}),
  };
  const members = [`stats_parsed := from_json(${field("stats")}, ${literal(JSON.stringify(statistics))})`];
  const values = partitionFields(layout).map((f) => {
    const value = `nullif(${field("partitionValues")}[${literal(name(f))}], '')`;
    const typed = f.type === "binary" ? `encode(${value})` : `TRY_CAST(${value} AS ${duckdbType(f.type)})`;
    return `${identifier(name(f))} := ${typed}`;
  });
  if (values.length > 0) members.push(`partitionValues_parsed := struct_pack(${values.join(", ")})`);
  return members;
}

type Shape = string | { readonly [name: string]: Shape };

/** Types of statistics in the shape of the columns, by their names in files; undefined where there are none. */
function shape(
  fields: readonly StructField[],
  name: (f: StructField) => string,
  leaf: (type: DataType) => string | undefined,
): Shape | undefined {
  const members = fields.flatMap((f) => {
    const { type } = f;
    const isStruct = typeof type === "object" && type.type === "struct";
    const inner = isStruct ? shape(type.fields, name, leaf) : leaf(type);
    return inner === undefined ? [] : [[name(f), inner] as const];
  });
  return members.length === 0 ? undefined : Object.fromEntries(members);
}

/** Digits of a decimal that a double, through which JSON goes, surely holds. */
const EXACT_DIGITS = 15;
const BOUNDED = new Set([
  "string",
  "long",
  "integer",
  "short",
  "byte",
  "float",
  "double",
  "date",
  "timestamp",
  "timestamp_ntz",
]);

/** The type of a bound; undefined for types that have none. A bound left out is always right, a rounded one is not. */
function boundType(type: DataType): string | undefined {
  if (typeof type !== "string") return undefined;
  const digits = /^decimal\((\d+),/.exec(type)?.[1];
  const isExact = digits !== undefined && Number(digits) <= EXACT_DIGITS;
  return isExact || BOUNDED.has(type) ? duckdbType(type) : undefined;
}
