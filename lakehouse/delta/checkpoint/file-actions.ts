/** The `add` and `remove` columns of a checkpoint as actions: fields typed in SQL, read as columns. */
import type { ColumnBatch, StructColumnType } from "../../duckdb/columns.ts";
import type { DuckDb } from "../../duckdb/duckdb.ts";
import { identifier, literal } from "../../duckdb/quote.ts";
import { TerminalError } from "../../errors.ts";
import type { Action } from "../actions.ts";
import { statsTextSql } from "./stats-text.ts";

export type FileKind = "add" | "remove";

/** How a field is read: text and numbers as they are; maps through JSON. Longs are exact up to 2^53. */
type Reading = "text" | "number" | "flag" | "map";

const FIELDS: Readonly<Record<FileKind, Readonly<Record<string, Reading>>>> = {
  add: {
    path: "text",
    partitionValues: "map",
    size: "number",
    modificationTime: "number",
    stats: "text",
    tags: "map",
    baseRowId: "number",
    defaultRowCommitVersion: "number",
    clusteringProvider: "text",
  },
  remove: {
    path: "text",
    deletionTimestamp: "number",
    extendedFileMetadata: "flag",
    partitionValues: "map",
    size: "number",
    baseRowId: "number",
    defaultRowCommitVersion: "number",
  },
};
const REQUIRED: Readonly<Record<FileKind, readonly string[]>> = {
  add: ["path", "size", "modificationTime"],
  remove: ["path"],
};
/** Fields of a deletion vector; the first three are required. */
const VECTOR: Readonly<Record<string, Reading>> = {
  storageType: "text",
  pathOrInlineDv: "text",
  sizeInBytes: "number",
  cardinality: "number",
  offset: "number",
  maxRowIndex: "number",
};
const STORAGE_TYPES = new Set(["u", "i", "p"]);

type Value = string | number | boolean | null | undefined;

/** A column of the query and where its values go. */
interface Field {
  readonly name: string;
  readonly sql: string;
  readonly reading: Reading;
  readonly ofVector: boolean;
}

/** The actions of one kind in a Parquet file, batch by batch; `type` is that of the kind's column. */
export async function* readFileActions(
  duckdb: DuckDb,
  source: string,
  kind: FileKind,
  type: StructColumnType,
  where: string,
): AsyncGenerator<readonly Action[]> {
  const fields = fieldsOf(kind, type);
  const columns = fields.map((field) => field.sql).join(", ");
  const sql = `SELECT ${columns} FROM ${source} WHERE ${member(kind, "path")} IS NOT NULL`;
  const maps = new MapTexts();
  for await (const batch of duckdb.columns(sql)) {
    const rows = Array.from({ length: batch.rowCount }, (_, row) => fileOf(kind, fields, batch, row, maps));
    const bad = rows.find((file) => !isComplete(kind, file));
    if (bad) throw badFile(kind, bad, where);
    yield rows.map((file) => ({ [kind]: file }) as unknown as Action);
  }
}

function fieldsOf(kind: FileKind, type: StructColumnType): Field[] {
  const fields: Field[] = [];
  for (const [name, reading] of Object.entries(FIELDS[kind])) {
    const sql =
      name === "stats" ? statsSql(kind, type) : type.members.has(name) ? member(kind, name) : undefined;
    if (sql !== undefined) fields.push({ name, sql: typed(sql, reading), reading, ofVector: false });
  }
  const vector = type.members.get("deletionVector");
  if (typeof vector === "object") {
    for (const [name, reading] of Object.entries(VECTOR)) {
      if (!vector.members.has(name)) continue;
      const sql = `struct_extract(${member(kind, "deletionVector")}, ${literal(name)})`;
      fields.push({ name, sql: typed(sql, reading), reading, ofVector: true });
    }
  }
  return fields;
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
  if (reading === "map") return `to_json(${sql})::VARCHAR`;
  return `(${sql})::${reading === "text" ? "VARCHAR" : reading === "flag" ? "BOOLEAN" : "DOUBLE"}`;
}

type FileFields = Record<string, unknown>;

function fileOf(
  kind: FileKind,
  fields: readonly Field[],
  batch: ColumnBatch,
  row: number,
  maps: MapTexts,
): FileFields {
  const file: FileFields =
    kind === "add" ? { partitionValues: {}, dataChange: false } : { dataChange: false };
  let vector: FileFields | undefined;
  for (let i = 0; i < fields.length; i++) {
    const field = fields[i];
    const value: Value = batch.columns[i]?.[row];
    if (field === undefined || value === null || value === undefined) continue;
    if (field.ofVector) {
      vector ??= {};
      vector[field.name] = value;
    } else file[field.name] = field.reading === "map" ? maps.parse(value) : value;
  }
  if (vector !== undefined) file.deletionVector = vector;
  return file;
}

/** What SQL has typed, but not promised to be there. */
function isComplete(kind: FileKind, file: FileFields): boolean {
  if (REQUIRED[kind].some((name) => file[name] === undefined)) return false;
  const vector = file.deletionVector as FileFields | undefined;
  if (vector === undefined) return true;
  const { storageType, pathOrInlineDv, sizeInBytes, cardinality } = vector;
  if (pathOrInlineDv === undefined || sizeInBytes === undefined || cardinality === undefined) return false;
  return STORAGE_TYPES.has(String(storageType));
}

function badFile(kind: FileKind, file: FileFields, where: string): TerminalError {
  return new TerminalError(`${where} holds a ${kind} action that breaks the Delta protocol`, {
    code: "DELTA_BAD_ACTION",
    value: JSON.stringify(file).slice(0, 500),
    allowed: `${REQUIRED[kind].join(", ")} must be there, and all fields of a deletion vector`,
    next: "The checkpoint was written by a faulty writer; remove it, so that the log is read instead.",
  });
}

/** Maps of text, parsed from JSON. Most files of a table share few sets of partition values and tags. */
class MapTexts {
  private readonly parsed = new Map<string, Readonly<Record<string, string | null>>>();

  parse(value: Value): Readonly<Record<string, string | null>> {
    const text = String(value);
    const known = this.parsed.get(text);
    if (known !== undefined) return known;
    const map = Object.freeze(JSON.parse(text) as Record<string, string | null>);
    if (this.parsed.size >= 10_000) this.parsed.clear();
    this.parsed.set(text, map);
    return map;
  }
}
