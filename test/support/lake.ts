import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { DuckDb, Row } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake, type TablePath } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import type { IngestContext } from "../../layers/bronze/ingest.ts";

/** A lake in a folder of its own. */
export function newLake(folder: string, duckdb: DuckDb): Lake {
  return new Lake(new LocalStore(`${folder}/lake-${crypto.randomUUID()}`), duckdb);
}

/** What ingestion needs, for tests. */
export function ingestContext(lake: Lake, connectionString: string): IngestContext {
  return { lake, connectionString, concurrency: 3, onProgress: ignoreProgress };
}

/** Rows of a query over a table, which it calls `t`. */
export async function queryTable(lake: Lake, path: TablePath, sql: string): Promise<Row[]> {
  const table = lake.table(path);
  const scan = await scanSql(table.store, scannable(await table.existingSnapshot()));
  return lake.duckdb.rows(`WITH t AS (${scan}) ${sql}`);
}
