/** Staging: the rows of a query become Parquet files of a table, not yet visible to anyone. */
import { rm } from "node:fs/promises";
import { basename } from "node:path";
import type { Row, Session } from "../duckdb/duckdb.ts";
import { identifier, literal } from "../duckdb/quote.ts";
import type { ObjectStore } from "../store/store.ts";
import type { AddFile } from "./actions.ts";
import { duckdbType, type StructType } from "./schema.ts";
import { type ColumnStatistics, statsJson } from "./stats.ts";

/** Files that were written, waiting for a commit to name them. */
export interface Staged {
  readonly files: readonly AddFile[];
  readonly rows: number;
  readonly bytes: number;
  /** Nulls by column, of all columns that hold primitive values. */
  readonly nulls: ReadonlyMap<string, number>;
}

const TARGET_FILE_BYTES = 128 * 1024 * 1024;

/**
 * Runs `sql` in `session` and writes its rows under the table's folder, cast to `schema` (columns by name; a
 * missing one is an error of DuckDB's). Fewer bytes than one target size make one file; no rows make none.
 */
export async function stage(
  store: ObjectStore,
  session: Session,
  sql: string,
  schema: StructType,
  now: number,
): Promise<Staged> {
  const folder = await store.stagingFolder();
  try {
    const columns = schema.fields.map(
      (f) => `${identifier(f.name)}::${duckdbType(f.type)} AS ${identifier(f.name)}`,
    );
    const written = await session.rows(
      `COPY (SELECT ${columns.join(", ")} FROM (${sql}\n)) TO ${literal(folder)} (FORMAT parquet, COMPRESSION zstd, FILENAME_PATTERN 'part-{uuid}', FILE_SIZE_BYTES ${TARGET_FILE_BYTES}, OVERWRITE_OR_IGNORE true, RETURN_STATS)`,
    );
    const files: AddFile[] = [];
    for (const row of written) {
      const add = toAdd(row, schema, now);
      if (add === undefined) continue;
      await store.putFile(add.path, String(row.filename));
      files.push(add);
    }
    return {
      files,
      nulls: countNulls(written, schema),
      rows: written.reduce((sum, row) => sum + Number(row.count), 0),
      bytes: files.reduce((sum, file) => sum + file.size, 0),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function countNulls(written: readonly Row[], schema: StructType): ReadonlyMap<string, number> {
  const nulls = new Map<string, number>();
  for (const row of written) {
    for (const [name, column] of statisticsOf(row, schema)) {
      nulls.set(name, (nulls.get(name) ?? 0) + Number(column.null_count ?? 0));
    }
  }
  return nulls;
}

function statisticsOf(row: Row, schema: StructType): Map<string, ColumnStatistics> {
  const statistics = row.column_statistics as Readonly<Record<string, ColumnStatistics>>;
  const byName = new Map<string, ColumnStatistics>();
  for (const { name } of schema.fields) {
    const column = statistics[identifier(name)];
    if (column) byName.set(name, column);
  }
  return byName;
}

function toAdd(row: Row, schema: StructType, now: number): AddFile | undefined {
  const rows = Number(row.count);
  if (rows === 0) return undefined;
  return {
    path: basename(String(row.filename)),
    partitionValues: {},
    size: Number(row.file_size_bytes),
    modificationTime: now,
    dataChange: true,
    stats: statsJson(rows, schema, statisticsOf(row, schema)),
  };
}
