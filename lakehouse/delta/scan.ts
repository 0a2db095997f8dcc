/** A snapshot as a DuckDB relation over exactly the files that it names. */
import { createHash } from "node:crypto";
import { type DataFileCache, sharedCache } from "../cache/data-file-cache.ts";
import { fetchObject } from "../cache/fetch-object.ts";
import { identifier } from "../duckdb/quote.ts";
import type { ObjectStore } from "../store/store.ts";
import type { AddFile } from "./actions.ts";
import { type Layout, layoutOf, nameInFiles } from "./layout.ts";
import { deletedRelation, deletedRows, type Marked } from "./scan/deleted-rows.ts";
import { placeOf, withoutPatterns } from "./scan/file-address.ts";
import { partSql } from "./scan/part-sql.ts";
import { divide, type NumberedFile } from "./scan/parts.ts";
import { missingFile } from "./scan/read-error.ts";
import { hasVariants, refusingShredded } from "./scan/variant.ts";
import { duckdbType, type StructField, type StructType } from "./schema.ts";
import type { Snapshot } from "./snapshot.ts";
import { rowCount } from "./stats.ts";

/** What a relation is made of; a snapshot is one, a subset of its files another. */
export interface Scannable {
  readonly schema: StructType;
  readonly partitionColumns: readonly string[];
  readonly files: readonly AddFile[];
  /** Whether files have names or ids of their own for the columns; `none` where absent. */
  readonly mapping?: Layout["mapping"];
}

/** All rows of a snapshot. */
export function scannable(snapshot: Pick<Snapshot, "schema" | "metadata" | "files">): Scannable {
  return {
    schema: snapshot.schema,
    partitionColumns: snapshot.metadata.partitionColumns,
    files: [...snapshot.files.values()],
    mapping: layoutOf(snapshot.metadata, snapshot.schema).mapping,
  };
}

/** Names of columns to add behind those of the table; absent ones are not added. */
export interface ScanOptions {
  /** INTEGER: the place of the row's file in `files`. */
  readonly fileIndex?: string;
  /** BIGINT: the row's place in its file, from 0; deleted rows count. */
  readonly rowIndex?: string;
  /** VARCHAR: the path of the row's file as the log has it. */
  readonly filePath?: string;
  /** Deleted rows are given too, for `withoutDeletedSql` to leave out later. */
  readonly withDeleted?: boolean;
  /** Where files of stores that DuckDB cannot open are kept; the process has one by default. */
  readonly cache?: DataFileCache;
}

/** A relation, and what DuckDB opens for it. */
export interface ScanPlan {
  readonly sql: string;
  /** Local files and URLs. */
  readonly addresses: readonly string[];
}

/**
 * SQL that gives the rows of these files in the table's columns, without the deleted ones. Files are immutable: the
 * SQL stays right whatever is committed later, until vacuum; what it has of a cache stays for an hour at least.
 */
export async function scanSql(
  store: ObjectStore,
  table: Scannable,
  options: ScanOptions = {},
): Promise<string> {
  return (await planScan(store, table, options)).sql;
}

/**
 * As `scanSql`, with the files that the SQL names. Rejects with `DELTA_UNSUPPORTED_TYPE` for a column that cannot be
 * read, `DELTA_FOREIGN_FILE`, `DELTA_BAD_PARTITION_VALUE`, `DELTA_BAD_DELETION_VECTOR`, and `DELTA_MISSING_FILE` where a
 * file had to be fetched; a missing file that DuckDB opens itself is found when the SQL runs (`explainReadError`).
 */
export async function planScan(
  store: ObjectStore,
  table: Scannable,
  options: ScanOptions = {},
): Promise<ScanPlan> {
  if (table.files.length === 0) return { sql: emptySql(table.schema, options), addresses: [] };
  const cache = options.cache ?? sharedCache();
  const { mapping = "none", schema, partitionColumns } = table;
  const parts = divide(options.withDeleted ? unmarked(table.files) : table.files, partitionNames(table));
  const addresses = await fileAddresses(store, table, { cache });
  const used = [...addresses];
  const sql: string[] = [];
  for (const part of parts) {
    const deleted = hasVectors(part) ? await deletedRows(store, cache, part.flatMap(markedOf)) : undefined;
    if (deleted?.file !== undefined) used.push(deleted.file);
    const files = part.map((numbered) => ({ ...numbered, address: addresses[numbered.index] ?? "" }));
    sql.push(
      partSql({ schema, partitionColumns, mapping, files, withoutDeleted: deleted?.sql ?? "" }, options),
    );
  }
  const all = sql.join(" UNION ALL ");
  const guarded = hasVariants(schema) ? refusingShredded(all, addresses.map(withoutPatterns)) : all;
  return { sql: guarded, addresses: used };
}

/**
 * SQL of what is left of `sql`, found in a scan `withDeleted`, without the deleted rows. Where a condition leaves few
 * rows this is quicker than looking every row up. `fileIndex` and `rowIndex` are the names that the scan was given.
 */
export async function withoutDeletedSql(
  store: ObjectStore,
  { files }: Pick<Scannable, "files">,
  sql: string,
  { fileIndex, rowIndex, cache = sharedCache() }: ScanOptions & { fileIndex: string; rowIndex: string },
): Promise<string> {
  const marked = files.flatMap((file, index) =>
    file.deletionVector ? [{ index, vector: file.deletionVector }] : [],
  );
  if (marked.length === 0) return sql;
  const deleted = await deletedRelation(
    store,
    cache,
    marked.map(({ vector }) => vector),
  );
  const [file, row] = [identifier(fileIndex), identifier(rowIndex)];
  const places = `[${marked.map(({ index }) => index).join(", ")}]::INTEGER[]`;
  return `SELECT * FROM (${sql}) ANTI JOIN (SELECT (${places})[file + 1] AS ${file}, row AS ${row} FROM (${deleted})) USING (${file}, ${row})`;
}

function unmarked(files: readonly AddFile[]): AddFile[] {
  return files.map(({ deletionVector: _deleted, ...file }) => file);
}

/** What DuckDB opens for each of these files, in their order. */
export function fileAddresses(
  store: ObjectStore,
  { files }: Pick<Scannable, "files">,
  { cache = sharedCache() }: Pick<ScanOptions, "cache"> = {},
): Promise<string[]> {
  return Promise.all(files.map((file) => addressOf(store, cache, file)));
}

function hasVectors(part: readonly NumberedFile[]): boolean {
  return (part[0]?.file.deletionVector?.cardinality ?? 0) > 0;
}

function markedOf({ file }: NumberedFile): Marked[] {
  return file.deletionVector ? [{ vector: file.deletionVector, fileRows: rowCount(file) }] : [];
}

function partitionNames({ schema, partitionColumns, mapping = "none" }: Scannable): string[] {
  const fields = schema.fields.filter((f: StructField) => partitionColumns.includes(f.name));
  return fields.map((f) => nameInFiles({ mapping }, f));
}

function emptySql(schema: StructType, { fileIndex, rowIndex, filePath }: ScanOptions): string {
  const columns: (readonly [string, string])[] = schema.fields.map((f) => [f.name, duckdbType(f.type)]);
  if (fileIndex !== undefined) columns.push([fileIndex, "INTEGER"]);
  if (rowIndex !== undefined) columns.push([rowIndex, "BIGINT"]);
  if (filePath !== undefined) columns.push([filePath, "VARCHAR"]);
  return `SELECT ${columns.map(([name, type]) => `NULL::${type} AS ${identifier(name)}`).join(", ") || "NULL"} WHERE false`;
}

/** What DuckDB opens for a file; fetched once where it cannot open the store's own. */
async function addressOf(store: ObjectStore, cache: DataFileCache, file: AddFile): Promise<string> {
  const place = placeOf(store, file.path);
  if ("file" in place) return place.file;
  const address = store.address(place.path);
  if (address !== undefined) return address;
  // Some removals do not say how many bytes their file had.
  const size = file.size > 0 ? file.size : undefined;
  const identity = [store.root, place.path, size ?? "", file.modificationTime].join("\n");
  const name = `${createHash("sha256").update(identity).digest("hex")}.parquet`;
  return cache.file(name, async (partial) => {
    if (!(await fetchObject(store, place.path, size, partial))) throw missingFile(store.root, file.path);
  });
}
