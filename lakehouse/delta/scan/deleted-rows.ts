/** Rows that deletion vectors take out of a scan, as a relation to join with. */
import { createHash } from "node:crypto";
import type { DataFileCache } from "../../cache/data-file-cache.ts";
import { literal } from "../../duckdb/quote.ts";
import type { ObjectStore } from "../../store/store.ts";
import { type DeletionVector, deletionVectorId } from "../deletion-vector/descriptor.ts";
import { readDeletionVector } from "../deletion-vector/read.ts";
import { type FileRows, writeRowsFile } from "../deletion-vector/rows-file.ts";

/** So many rows stand in the SQL itself; more come from a local file. */
const MOST_INLINE = 1000;
/** Vectors read side by side. */
const READERS = 8;

export interface DeletedRows {
  /** SQL of a relation `file UBIGINT, row BIGINT`. */
  readonly sql: string;
  /** The local file that it reads, if any. */
  readonly file: string | undefined;
}

/**
 * The rows that these vectors delete; the place of a vector among them is its `file`. What was written for the same
 * vectors before is used again.
 */
export async function deletedRows(
  store: ObjectStore,
  cache: DataFileCache,
  vectors: readonly DeletionVector[],
): Promise<DeletedRows> {
  const total = vectors.reduce((sum, vector) => sum + vector.cardinality, 0);
  if (total <= MOST_INLINE) {
    const values = (await readAll(store, vectors)).flatMap(({ index, rows }) =>
      Array.from(rows, (row) => `(${index}, ${row})`),
    );
    return {
      sql: `SELECT file::UBIGINT AS file, row::BIGINT AS row FROM (VALUES ${values.join(", ")}) AS _rows(file, row)`,
      file: undefined,
    };
  }
  const identity = [store.root, ...vectors.map((v) => `${deletionVectorId(v)} ${v.cardinality}`)].join("\n");
  const name = `rows-${createHash("sha256").update(identity).digest("hex")}.parquet`;
  const file = await cache.file(name, async (partial) =>
    writeRowsFile(partial, await readAll(store, vectors)),
  );
  return { sql: `SELECT file::UBIGINT AS file, row FROM read_parquet(${literal(file)})`, file };
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
