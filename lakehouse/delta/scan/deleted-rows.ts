/** How the rows of deletion vectors are taken out of a scan. */
import { createHash } from "node:crypto";
import type { DataFileCache } from "../../cache/data-file-cache.ts";
import { Remembered } from "../../cache/remembered.ts";
import { literal } from "../../duckdb/quote.ts";
import type { ObjectStore } from "../../store/store.ts";
import { type DeletionVector, deletionVectorId } from "../deletion-vector/descriptor.ts";
import { readDeletionVector } from "../deletion-vector/read.ts";
import { type FileRows, writeRowsFile } from "../deletion-vector/rows-file.ts";
import { withoutBitsSql, writeBitmaps } from "./deleted-bits.ts";

/** So many rows stand in the SQL itself; more come from a local file. */
const MOST_INLINE = 1000;
/**
 * From here on bitmaps are faster than a join with the rows: over 10 million rows they cost 0.15 s of CPU whatever
 * is deleted, a join 0.1 s at 100,000 deleted rows and 0.6 to 1.2 s at 5 million, whose hash table takes 300 MB.
 */
const LEAST_FOR_BITMAPS = 500_000;
/** A vector that deletes one row in so many, or fewer, would have bitmaps of nearly nothing. */
const SPARSE = 64;
/** Vectors read side by side. */
const READERS = 8;

export interface DeletedRows {
  /** What follows a relation with `file_index` and `file_row_number` in SQL, to leave the deleted rows out. */
  readonly sql: string;
  /** The local file that it reads, if any. */
  readonly file: string | undefined;
}

/** A deletion vector and how many rows its file has, where statistics say it. */
export interface Marked {
  readonly vector: DeletionVector;
  readonly fileRows: number | undefined;
}

/**
 * Leaves out the rows that these vectors delete, the first those of file 0 and so on. What was written for the same
 * vectors before is used again.
 */
export async function deletedRows(
  store: ObjectStore,
  cache: DataFileCache,
  marked: readonly Marked[],
): Promise<DeletedRows> {
  const vectors = marked.map(({ vector }) => vector);
  const total = vectors.reduce((sum, vector) => sum + vector.cardinality, 0);
  const name = nameOf(store, vectors);
  if (total <= MOST_INLINE) {
    return { sql: await INLINE.get(name, () => inlineSql(store, vectors)), file: undefined };
  }
  if (isDense(marked, total)) {
    const file = await cache.file(`${name}.bits.csv`, async (path) =>
      writeBitmaps(path, await readAll(store, vectors)),
    );
    return { sql: withoutBitsSql(file), file };
  }
  const file = await rowsFile(store, cache, vectors);
  return {
    sql: withoutRowsSql(`SELECT file::UBIGINT AS file, row FROM read_parquet(${literal(file)})`),
    file,
  };
}

/** SQL of few rows, by the name of their vectors. */
const INLINE = new Remembered<string>(100);

async function inlineSql(store: ObjectStore, vectors: readonly DeletionVector[]): Promise<string> {
  const found = await readAll(store, vectors);
  const values = found.flatMap(({ index, rows }) => Array.from(rows, (row) => `(${index}, ${row})`));
  const typed = "SELECT file::UBIGINT AS file, row::BIGINT AS row";
  return withoutRowsSql(`${typed} FROM (VALUES ${values.join(", ")}) AS _rows(file, row)`);
}

/**
 * The rows that vectors delete as a relation of their own, `file` (the place of the vector) and `row`: for few rows
 * that were found with the deleted ones still among them.
 */
export async function deletedRelation(
  store: ObjectStore,
  cache: DataFileCache,
  vectors: readonly DeletionVector[],
): Promise<string> {
  return `SELECT file, row FROM read_parquet(${literal(await rowsFile(store, cache, vectors))})`;
}

/** A local file of `file INTEGER, row BIGINT`. */
function rowsFile(
  store: ObjectStore,
  cache: DataFileCache,
  vectors: readonly DeletionVector[],
): Promise<string> {
  return cache.file(`${nameOf(store, vectors)}.rows.parquet`, async (path) =>
    writeRowsFile(path, await readAll(store, vectors)),
  );
}

function nameOf(store: ObjectStore, vectors: readonly DeletionVector[]): string {
  const identity = [store.root, ...vectors.map((v) => `${deletionVectorId(v)} ${v.cardinality}`)].join("\n");
  return createHash("sha256").update(identity).digest("hex");
}

/** Whether bitmaps are worth it. Where the size of a file is not known its vector counts as sparse. */
function isDense(marked: readonly Marked[], total: number): boolean {
  if (total < LEAST_FOR_BITMAPS) return false;
  const rows = marked.reduce((sum, { fileRows }) => sum + (fileRows ?? Number.POSITIVE_INFINITY), 0);
  return rows < total * SPARSE;
}

function withoutRowsSql(relation: string): string {
  return ` ANTI JOIN (${relation}) AS _deleted ON _deleted.file = file_index AND _deleted.row = file_row_number`;
}

async function readAll(store: ObjectStore, vectors: readonly DeletionVector[]): Promise<FileRows[]> {
  const found: FileRows[] = [];
  for (let at = 0; at < vectors.length; at += READERS) {
    const some = vectors.slice(at, at + READERS);
    const sets = await Promise.all(some.map((vector) => readDeletionVector(store, vector)));
    found.push(...sets.map((rows, i) => ({ index: at + i, rows })));
  }
  return found;
}
