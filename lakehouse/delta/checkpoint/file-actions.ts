/** The `add` and `remove` columns of a checkpoint as actions: fields typed in SQL, read as columns. */
import type { ColumnBatch, StructColumnType } from "../../duckdb/columns.ts";
import type { DuckDb } from "../../duckdb/duckdb.ts";
import { identifier, literal } from "../../duckdb/quote.ts";
import { TerminalError } from "../../errors.ts";
import type { Action } from "../actions.ts";
import { statsTextSql } from "./stats-text.ts";

export type FileKind = "add" | "remove";

/**
 * How a field is read: text, numbers and flags as they are, partition values through JSON. What few files have is
 * `rare` and comes in one column of JSON together. Longs are exact up to 2^53.
 */
type Reading = "text" | "number" | "flag" | "values" | "rare";

const FIELDS: Readonly<Record<FileKind, Readonly<Record<string, Reading>>>> = {
  add: {
    path: "text",
    partitionValues: "values",
    size: "number",
    modificationTime: "number",
    stats: "text",
    tags: "rare",
    deletionVector: "rare",
    baseRowId: "rare",
    defaultRowCommitVersion: "rare",
    clusteringProvider: "rare",
  },
  remove: {
    path: "text",
    deletionTimestamp: "number",
    extendedFileMetadata: "flag",
    partitionValues: "rare",
    size: "number",
    deletionVector: "rare",
    baseRowId: "rare",
    defaultRowCommitVersion: "rare",
  },
};
const REQUIRED: Readonly<Record<FileKind, readonly string[]>> = {
  add: ["path", "size", "modificationTime"],
  remove: ["path"],
};

/** A column of the query; the one of rare fields has no name. */
interface Column {
  readonly name: string | undefined;
  readonly sql: string;
  readonly isJson: boolean;
}

/** The actions of one kind in a Parquet file, batch by batch; `type` is that of the kind's column. */
export async function* readFileActions(
  duckdb: DuckDb,
  source: string,
  kind: FileKind,
  type: StructColumnType,
  where: string,
): AsyncGenerator<readonly Action[]> {
  const columns = columnsOf(kind, type);
  const list = columns.map((column) => column.sql).join(", ");
  const sql = `SELECT ${list} FROM ${source} WHERE ${member(kind, "path")} IS NOT NULL`;
  const values = new ValueTexts();
  for await (const batch of duckdb.columns(sql)) {
    const rows = Array.from({ length: batch.rowCount }, (_, row) =>
      fileOf(kind, columns, batch, row, values),
    );
    const bad = rows.find((file) => !isComplete(kind, file));
    if (bad) throw badFile(kind, bad, where);
    yield rows.map((file) => ({ [kind]: file }) as unknown as Action);
  }
}

function columnsOf(kind: FileKind, type: StructColumnType): Column[] {
  const columns: Column[] = [];
  const rare: string[] = [];
  for (const [name, reading] of Object.entries(FIELDS[kind])) {
    const present = type.members.has(name) ? member(kind, name) : undefined;
    const sql = name === "stats" ? statsSql(kind, type) : present;
    if (sql === undefined) continue;
    if (reading === "rare") rare.push(name);
    else columns.push({ name, sql: typed(sql, reading), isJson: reading === "values" });
  }
  if (rare.length === 0) return columns;
  const some = rare.map((name) => `${member(kind, name)} IS NOT NULL`).join(" OR ");
  const members = rare.map((name) => `${identifier(name)} := ${member(kind, name)}`).join(", ");
  const sql = `CASE WHEN ${some} THEN to_json(struct_pack(${members}))::VARCHAR END`;
  return [...columns, { name: undefined, sql, isJson: true }];
}

/** Statistics as JSON, of whichever form the checkpoint has. */
function statsSql(kind: FileKind, type: StructColumnType): string | undefined {
  const parsed = type.members.get("stats_parsed");
  const text = type.members.has("stats") ? [member(kind, "stats")] : [];
  if (typeof parsed === "object") text.push(statsTextSql(member(kind, "stats_parsed"), parsed));
  return text.length === 0 ? undefined : `coalesce(${text.join(", ")})`;
}

const member = (kind: FileKind, name: string) => `struct_extract(${identifier(kind)}, ${literal(name)})`;

function typed(sql: string, reading: Reading): string {
  // Most tables have no partitions: no text at all is the fastest to read.
  if (reading === "values") return `CASE WHEN cardinality(${sql}) > 0 THEN to_json(${sql})::VARCHAR END`;
  return `(${sql})::${reading === "text" ? "VARCHAR" : reading === "flag" ? "BOOLEAN" : "DOUBLE"}`;
}

type FileFields = Record<string, unknown>;

function fileOf(
  kind: FileKind,
  columns: readonly Column[],
  batch: ColumnBatch,
  row: number,
  values: ValueTexts,
): FileFields {
  const file: FileFields =
    kind === "add" ? { partitionValues: {}, dataChange: false } : { dataChange: false };
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i];
    const value = batch.columns[i]?.[row];
    if (column === undefined || value === null || value === undefined) continue;
    if (column.name === undefined) Object.assign(file, rareFields(String(value)));
    else file[column.name] = column.isJson ? values.parse(String(value)) : value;
  }
  return file;
}

/** Fields that are there; maps may hold nulls in earnest. */
function rareFields(json: string): FileFields {
  const fields = withoutNulls(JSON.parse(json));
  if (fields.deletionVector !== undefined) fields.deletionVector = withoutNulls(fields.deletionVector);
  return fields;
}

function withoutNulls(value: unknown): FileFields {
  return Object.fromEntries(Object.entries(value ?? {}).filter(([, inner]) => inner !== null));
}

const STORAGE_TYPES = new Set<unknown>(["u", "i", "p"]);

/** What SQL has typed, but not promised to be there. */
function isComplete(kind: FileKind, file: FileFields): boolean {
  if (REQUIRED[kind].some((name) => file[name] === undefined)) return false;
  if (file.deletionVector === undefined) return true;
  const { storageType, pathOrInlineDv, sizeInBytes, cardinality } = file.deletionVector as FileFields;
  const isText = typeof pathOrInlineDv === "string";
  return (
    isText && STORAGE_TYPES.has(storageType) && Number.isInteger(sizeInBytes) && Number.isInteger(cardinality)
  );
}

function badFile(kind: FileKind, file: FileFields, where: string): TerminalError {
  return new TerminalError(`${where} holds a ${kind} action that breaks the Delta protocol`, {
    code: "DELTA_BAD_ACTION",
    value: JSON.stringify(file).slice(0, 500),
    allowed: `${REQUIRED[kind].join(", ")} must be there, and all fields of a deletion vector`,
    next: "The checkpoint was written by a faulty writer; remove it, so that the log is read instead.",
  });
}

/** Partition values, parsed from JSON. Most files of a table share few sets of them. */
class ValueTexts {
  private readonly parsed = new Map<string, Readonly<Record<string, string | null>>>();

  parse(text: string): Readonly<Record<string, string | null>> {
    const known = this.parsed.get(text);
    if (known !== undefined) return known;
    const values = Object.freeze(JSON.parse(text) as Record<string, string | null>);
    if (this.parsed.size >= 10_000) this.parsed.clear();
    this.parsed.set(text, values);
    return values;
  }
}
