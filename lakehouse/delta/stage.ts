/** Staging: the rows of a query become Parquet files of a table, not yet visible to anyone. */
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Row, Session } from "../duckdb/duckdb.ts";
import { identifier, literal } from "../duckdb/quote.ts";
import type { ObjectStore } from "../store/store.ts";
import type { AddFile } from "./actions.ts";
import { dataFields, type Layout, nameInFiles, partitionFields } from "./layout.ts";
import { fieldIdsSql, toPhysicalSql } from "./mapping.ts";
import { checkingPartitions, logPath, partitionFolder, partitionValueSql } from "./partition-path.ts";
import { type DataType, duckdbType, type StructField } from "./schema.ts";
import { type ColumnStatistics, statsJson } from "./stats.ts";

/** Files that were written, waiting for a commit to name them. */
export interface Staged {
  readonly files: readonly AddFile[];
  readonly rows: number;
  readonly bytes: number;
  /** Nulls by column, of all columns that hold primitive values and do not partition the table. */
  readonly nulls: ReadonlyMap<string, number>;
}

export interface StageOptions {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Folder under the table's, with `/` at its end; the root by default. */
  readonly folder?: string;
  /** ORDER BY of the files' rows; they come as they may otherwise. */
  readonly orderBy?: string;
  readonly constants?: Constants;
  readonly enumerations?: Enumerations;
  /**
   * The most entries of a dictionary in a row group, where rows are to be written soon rather than small: a column is
   * searched for values that come again until there are more. By default, DuckDB's a fifth of the rows.
   */
  readonly dictionary?: number;
}

/** Columns, other than those of partitions, with one value in all rows. The query need not have them. */
export type Constants = ReadonlyMap<string, string | number | null>;

/**
 * Columns of text that the query gives as an ENUM, which is the same in the file and takes less than half the time to
 * write, and the first and the last text of them that rows have: DuckDB does not say these of an ENUM.
 */
export type Enumerations = ReadonlyMap<string, { readonly min: string; readonly max: string }>;

/** A partitioned write cannot be told a size; files that came out this much larger are divided. */
const TOLERANCE = 1.5;

/**
 * Runs `sql` in `session` and writes its rows under the table's folder, cast to the layout's columns (by name; a
 * missing one is an error of DuckDB's). Fewer bytes than one target size make one file for each partition; no rows
 * make none.
 */
export async function stage(
  store: ObjectStore,
  session: Session,
  sql: string,
  layout: Layout,
  options: StageOptions,
): Promise<Staged> {
  const folder = await store.stagingFolder();
  try {
    const order = options.orderBy === undefined ? "" : ` ORDER BY ${options.orderBy}`;
    const copy = copySql(`SELECT * FROM (${sql}\n)${order}`, layout, folder, options);
    const written = await checkingPartitions(() => session.rows(copy));
    const files: AddFile[] = [];
    const nulls = new Map<string, number>();
    const parts = await divided(session, written, layout, folder);
    // They hold of all rows together.
    const enumerations = parts.length === 1 ? options.enumerations : undefined;
    for (const row of parts) {
      const columns = columnsOf(row, layout, options.constants, enumerations);
      for (const [name, column] of columns)
        nulls.set(name, (nulls.get(name) ?? 0) + Number(column.null_count ?? 0));
      if (Number(row.count) === 0) continue;
      files.push(await take(store, row, layout, columns, options));
    }
    return {
      files,
      nulls,
      rows: written.reduce((sum, row) => sum + Number(row.count), 0),
      bytes: files.reduce((sum, file) => sum + file.size, 0),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** COPY of rows in the table's columns into files in the columns of the files. */
function copySql(
  sql: string,
  layout: Layout,
  folder: string,
  { constants = new Map(), enumerations = new Map(), dictionary }: StageOptions,
): string {
  const fields = dataFields(layout);
  const partitions = partitionFields(layout);
  const columns = fields.flatMap((f) => {
    const constant = constants.get(f.name);
    // What a file lacks is null (PROTOCOL.md, "Reader Requirements"), and costs nothing.
    if (constant === null) return [];
    const type = enumerations.has(f.name) ? "" : `::${duckdbType(f.type)}`;
    const typed = constant === undefined ? `${identifier(f.name)}${type}` : constantSql(constant, f);
    const physical = layout.mapping === "none" ? typed : toPhysicalSql(`(${typed})`, f.type);
    return [`${physical} AS ${identifier(nameInFiles(layout, f))}`];
  });
  // A Parquet file has at least one column.
  if (columns.length === 0) columns.push("NULL::BOOLEAN AS _ingot_no_columns");
  // Partition columns go by their place: their names would be escaped into paths that are made here anyway.
  for (const [i, f] of partitions.entries()) {
    columns.push(`${partitionValueSql(`${identifier(f.name)}::${duckdbType(f.type)}`, f)} AS _p${i}`);
  }
  const options = [...parquetOptions(layout), "OVERWRITE_OR_IGNORE true"];
  if (dictionary !== undefined) options.push(`DICTIONARY_SIZE_LIMIT ${Math.max(1, dictionary)}`);
  if (partitions.length === 0) options.push(`FILE_SIZE_BYTES ${layout.targetFileBytes}`);
  else options.push(`PARTITION_BY (${partitions.map((_, i) => `_p${i}`).join(", ")})`);
  return `COPY (SELECT ${columns.join(", ")} FROM (${sql}\n)) TO ${literal(folder)} (${options.join(", ")})`;
}

/** A text as the one value of an enumeration is the same in the file, and takes a tenth of the time to write. */
function constantSql(value: string | number, { type }: StructField): string {
  const sql = literal(String(value));
  return type === "string" ? `${sql}::ENUM(${sql})` : `${sql}::${duckdbType(type)}`;
}

/**
 * How files are written. The encodings of Parquet's version 2 halve the time to read integers, decimals and
 * timestamps; its encoding of floats is one that Spark before version 4 does not read.
 */
function parquetOptions(layout: Layout): string[] {
  const fields = dataFields(layout);
  const version = fields.some((f) => holdsFloats(f.type)) ? "v1" : "v2";
  const options = [
    "FORMAT parquet",
    `PARQUET_VERSION ${version}`,
    "COMPRESSION zstd",
    "FILENAME_PATTERN 'part-{uuid}'",
    "RETURN_STATS",
  ];
  if (fields.length > WIDE) options.push(`ROW_GROUP_SIZE ${rowGroupSize(fields.length)}`);
  if (layout.mapping !== "none" && fields.length > 0) options.push(`FIELD_IDS ${fieldIdsSql(fields)}`);
  return options;
}

/** Columns from which on a row group of DuckDB's usual size is more than fits into little memory. */
const WIDE = 64;
/** Values of a row group of a wide table; rows come in vectors of 2,048. */
const GROUP_VALUES = 4_000_000;

const rowGroupSize = (columns: number) => Math.max(1, Math.floor(GROUP_VALUES / columns / 2048)) * 2048;

function holdsFloats(type: DataType): boolean {
  if (typeof type === "string") return type === "float" || type === "double";
  if (type.type === "struct") return type.fields.some((f) => holdsFloats(f.type));
  if (type.type === "array") return holdsFloats(type.elementType);
  return holdsFloats(type.keyType) || holdsFloats(type.valueType);
}

/** Files of partitions that are much larger than they should be, written again in parts. */
async function divided(
  session: Session,
  written: readonly Row[],
  layout: Layout,
  folder: string,
): Promise<Row[]> {
  if (layout.partitionColumns.length === 0) return [...written];
  const rows: Row[] = [];
  for (const row of written) {
    if (Number(row.file_size_bytes) <= layout.targetFileBytes * TOLERANCE) {
      rows.push(row);
      continue;
    }
    const options = [...parquetOptions(layout), `FILE_SIZE_BYTES ${layout.targetFileBytes}`];
    const parts = await session.rows(
      `COPY (SELECT * FROM read_parquet(${literal(String(row.filename))}, hive_partitioning = false)) TO ${literal(join(folder, randomUUID()))} (${options.join(", ")})`,
    );
    for (const part of parts) rows.push({ ...part, partition_keys: row.partition_keys });
    await rm(String(row.filename));
  }
  return rows;
}

/** Moves one written file to its place and names it. */
async function take(
  store: ObjectStore,
  row: Row,
  layout: Layout,
  columns: ReadonlyMap<string, ColumnStatistics>,
  { now, folder = "" }: StageOptions,
): Promise<AddFile> {
  const keys = (row.partition_keys ?? {}) as Readonly<Record<string, string | null>>;
  const names = partitionFields(layout).map((f) => nameInFiles(layout, f));
  const values = names.map((_, i) => keys[`_p${i}`] ?? null);
  const path = `${folder}${partitionFolder(names, values)}part-${randomUUID()}.parquet`;
  await store.putFile(path, String(row.filename));
  return {
    path: logPath(path),
    partitionValues: Object.fromEntries(names.map((name, i) => [name, values[i] ?? null])),
    size: Number(row.file_size_bytes),
    modificationTime: now,
    dataChange: true,
    stats: statsJson(Number(row.count), layout, columns),
  };
}

/** What COPY says of the columns of one file, by logical name. */
function columnsOf(
  row: Row,
  layout: Layout,
  constants: Constants = new Map(),
  enumerations: Enumerations = new Map(),
): Map<string, ColumnStatistics> {
  const statistics = (row.column_statistics ?? {}) as Readonly<Record<string, ColumnStatistics>>;
  const byName = new Map<string, ColumnStatistics>();
  for (const f of dataFields(layout)) {
    const column = statistics[identifier(nameInFiles(layout, f))];
    const constant = constants.get(f.name);
    if (constant === null) byName.set(f.name, { null_count: String(row.count) });
    else if (column && typeof constant === "string" && f.type === "string") {
      byName.set(f.name, { ...column, min: constant, max: constant });
    } else if (column) byName.set(f.name, { ...column, ...enumerations.get(f.name) });
  }
  return byName;
}

/** Several stagings as one. The nulls of a column that not every part has are those of the parts that have it. */
export function joinStaged(parts: readonly Staged[]): Staged {
  const nulls = new Map<string, number>();
  for (const part of parts)
    for (const [name, count] of part.nulls) nulls.set(name, (nulls.get(name) ?? 0) + count);
  return {
    files: parts.flatMap((part) => part.files),
    nulls,
    rows: parts.reduce((sum, part) => sum + part.rows, 0),
    bytes: parts.reduce((sum, part) => sum + part.bytes, 0),
  };
}

/** Removes staged files that no commit will name. Never for a commit whose outcome is not known. */
export async function discardFiles(
  store: ObjectStore,
  files: Iterable<Pick<AddFile, "path">>,
): Promise<void> {
  for (const file of files) await store.delete(decodeURIComponent(file.path));
}
