import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { type CheckResult, failed, ok } from "./check.ts";

const ROWS = 1000;
/** Of the numbers from 0 up to, not including, `ROWS`. */
const SUM = BigInt((ROWS * (ROWS - 1)) / 2);

/** Opens DuckDB with the configured bounds and takes a Parquet file there and back. */
export async function checkDuckDb(memoryMb: number, threads: number): Promise<CheckResult> {
  const folder = await mkdtemp(join(tmpdir(), "ingot-doctor-"));
  try {
    const duckdb = await DuckDb.open({ memoryMb, threads });
    try {
      return await takeThereAndBack(
        duckdb,
        join(folder, "probe.parquet"),
        `${memoryMb} MB, ${threads} threads`,
      );
    } finally {
      duckdb.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function takeThereAndBack(duckdb: DuckDb, path: string, bounds: string): Promise<CheckResult> {
  const file = literal(path);
  await duckdb.rows(`COPY (SELECT range AS n FROM range(${ROWS})) TO ${file} (FORMAT parquet)`);
  const [row] = await duckdb.rows(`SELECT sum(n)::BIGINT AS total, version() AS version FROM ${file}`);
  if (row?.total !== SUM) {
    return failed(
      "DuckDB",
      "a Parquet file came back changed",
      "Install the packages anew (npm ci), and check the disk behind the folder for temporary files.",
    );
  }
  return ok("DuckDB", `${String(row.version)}, ${bounds}; Parquet written and read`);
}
