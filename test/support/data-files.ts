import { mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { AddFile } from "../../lakehouse/delta/actions.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";

/** Writes the rows of a query as a Parquet file below a folder, and names it as a log would. */
export async function writeDataFile(
  duckdb: DuckDb,
  folder: string,
  path: string,
  sql: string,
  { logged = encodeURI(path), ...rest }: Partial<AddFile> & { logged?: string; options?: string } = {},
): Promise<AddFile> {
  const { options = "", ...fields } = rest;
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  await duckdb.rows(`COPY (${sql}) TO ${literal(file)} (FORMAT parquet${options})`);
  const size = statSync(file).size;
  return { path: logged, partitionValues: {}, size, modificationTime: 1, dataChange: false, ...fields };
}
