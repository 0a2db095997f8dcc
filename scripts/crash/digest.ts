/** What a lake holds, as one line a table: row count and a hash that does not depend on the order of rows. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { identifiers } from "../../lakehouse/duckdb/quote.ts";
import { Lake, openStore } from "../../lakehouse/lake.ts";
import { META, META_COLUMNS, sourceKey } from "../../layers/definition/bronze-columns.ts";
import { currentStateSql } from "../../layers/definition/bronze-state.ts";
import { ingot, type Surroundings } from "./command.ts";

/** By name of table or metric. */
export type Digest = Readonly<Record<string, string>>;

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
      const rows = await scanSql(store, scannable(snapshot));
      const key = sourceKey(snapshot);
      const columns = snapshot.schema.fields
        .map((field) => field.name)
        .filter((name) => !META_COLUMNS.includes(name));
      digest[path] =
        key === undefined ? await contentOf(duckdb, rows) : await stateOf(duckdb, rows, key, columns);
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

async function contentOf(duckdb: DuckDb, rows: string): Promise<string> {
  const [found] = await duckdb.rows(`SELECT count(*) AS rows, bit_xor(hash(t)) AS content FROM (${rows}) t`);
  return `${found?.rows} rows, ${found?.content}`;
}

/**
 * What the changes of a bronze table amount to, and how many were captured: each of them is there once, whereas rows
 * that were read may be read again by a later run.
 */
async function stateOf(
  duckdb: DuckDb,
  rows: string,
  key: readonly string[],
  columns: readonly string[],
): Promise<string> {
  const state = currentStateSql(rows, key, columns);
  const content = await contentOf(duckdb, `SELECT ${identifiers(columns)} FROM (${state})`);
  const [captured] = await duckdb.rows(
    `SELECT count(*) AS changes FROM (${rows}) WHERE ${META.operation} <> 'r'`,
  );
  return `${content}, ${captured?.changes} changes`;
}
