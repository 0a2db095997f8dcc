import { afterAll } from "vitest";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";

/** One DuckDB for a test file, closed at its end. */
export async function useDuckDb(): Promise<DuckDb> {
  const duckdb = await DuckDb.open({
    memoryMb: 512,
    threads: 2,
  });
  afterAll(() => duckdb.close());
  return duckdb;
}
