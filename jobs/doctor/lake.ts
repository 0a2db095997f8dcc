import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { openStore } from "../../lakehouse/lake.ts";
import { type CheckResult, failed, ok } from "./check.ts";

/** Opens DuckDB and takes a Parquet file there and back. */
export async function checkDuckDb(memoryMb: number, threads: number): Promise<CheckResult> {
  const folder = await mkdtemp(join(tmpdir(), "ingot-doctor-"));
  const duckdb = await DuckDb.open({ memoryMb, threads, spillFolder: join(folder, "spill") });
  try {
    const file = literal(join(folder, "probe.parquet"));
    await duckdb.rows(`COPY (SELECT range AS n FROM range(1000)) TO ${file} (FORMAT parquet)`);
    const [row] = await duckdb.rows(`SELECT sum(n)::BIGINT AS total, version() AS version FROM ${file}`);
    if (row?.total !== 499_500n)
      return failed("DuckDB", "a Parquet file came back changed", "Reinstall: npm ci");
    return ok("DuckDB", `${String(row.version)}, ${memoryMb} MB, ${threads} threads`);
  } finally {
    duckdb.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Writes, races for a name, lists and deletes, under a prefix that no table can have. */
export async function checkLake(root: string): Promise<CheckResult> {
  const store = openStore(root);
  const prefix = `_doctor-${randomUUID()}/`;
  const rivals = ["a", "b", "c", "d"];
  try {
    const won = await Promise.all(rivals.map((r) => store.putIfAbsent(`${prefix}race`, Buffer.from(r))));
    const winner = rivals[won.indexOf(true)];
    const stored = Buffer.from((await store.get(`${prefix}race`)) ?? []).toString();
    const listed = await store.list(prefix);
    if (won.filter(Boolean).length !== 1 || stored !== winner || listed.length !== 1) {
      return failed(
        "lake",
        `${root}: of four conditional creates ${won.filter(Boolean).length} succeeded`,
        "This storage cannot hold a lake: commits rely on creating a file only where there is none.",
      );
    }
    return ok("lake", `${root}: write, conditional create, list and delete`);
  } finally {
    await store.delete(`${prefix}race`).catch(() => {});
    await store.delete(prefix.slice(0, -1)).catch(() => {});
  }
}
