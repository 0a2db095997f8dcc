/** What a lake holds, as one line a table: row count and a hash that does not depend on the order of rows. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake, openStore } from "../../lakehouse/lake.ts";
import { ingot, type Surroundings } from "./command.ts";

/** By name of table or metric. */
export type Digest = Readonly<Record<string, string>>;

/** Columns that say when a row was taken; another run takes it at another time. */
const WHEN = ["_ingot_at", "_ingot_lsn"];

export async function digestLake(around: Surroundings, layers: readonly string[]): Promise<Digest> {
  const duckdb = await DuckDb.open({
    memoryMb: 512,
    threads: 2,
  });
  try {
    const lake = new Lake(openStore(around.lake), duckdb);
    const digest: Record<string, string> = {};
    for (const path of await lake.tables("commerce")) {
      if (!layers.includes(path.split("/")[1] ?? "")) continue;
      const { store } = lake.table(path);
      const snapshot = await lake.table(path).existingSnapshot();
      const excluded = WHEN.filter((name) => snapshot.schema.fields.some((f) => f.name === name));
      const columns = excluded.length > 0 ? `* EXCLUDE (${excluded.join(", ")})` : "*";
      const rows = await duckdb.rows(
        `SELECT count(*) AS rows, bit_xor(hash(t)) AS content FROM (SELECT ${columns} FROM (${await scanSql(store, scannable(snapshot))})) t`,
      );
      digest[path] = `${rows[0]?.rows} rows, ${rows[0]?.content}`;
    }
    return digest;
  } finally {
    duckdb.close();
  }
}

/** The published rows, as the client reads them. */
export async function digestPublished(around: Surroundings): Promise<Digest> {
  const { stdout } = await ingot(around, ["metrics", "commerce"]);
  const { metrics } = JSON.parse(stdout) as {
    metrics: { metric: string; version?: number; rows?: unknown[] }[];
  };
  return Object.fromEntries(metrics.map((m) => [m.metric, JSON.stringify([m.version, m.rows])]));
}
