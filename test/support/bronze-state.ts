/** Whether bronze amounts to what the source has: the rows of both, as texts. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Row } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import { META_COLUMNS, sourceKey } from "../../layers/definition/bronze-columns.ts";
import { currentStateSql } from "../../layers/definition/bronze-state.ts";
import type { TestDatabase } from "./postgres.ts";

/** Rows of a source table as sorted texts; `columns` as they are to be compared. */
export async function sourceRows(
  database: Pick<TestDatabase, "query">,
  table: string,
  columns: readonly string[],
): Promise<string[]> {
  const list = columns.map((name) => {
    const column = identifier(name);
    return `CASE WHEN pg_typeof(${column})::text LIKE 'timestamp%'
      THEN ((extract(epoch FROM (${column}::text || CASE WHEN pg_typeof(${column})::text LIKE '%without%' THEN '+00' ELSE '' END)::timestamptz) * 1000000)::bigint)::text ELSE ${column}::text END`;
  });
  const rows = await database.query<{ row: (string | null)[] }>(
    `SELECT ARRAY[${list.join(", ")}]::text[] AS row FROM ${table}`,
  );
  return rows.map(({ row }) => JSON.stringify(row)).sort();
}

/** The same of bronze's current state. Booleans, floats and arrays print differently: compare other columns. */
export async function bronzeRows(lake: Lake, path: TablePath, columns: readonly string[]): Promise<string[]> {
  const table = lake.table(path);
  const snapshot = await table.existingSnapshot();
  const rows = await scanSql(table.store, scannable(snapshot));
  const own = snapshot.schema.fields.map((f) => f.name).filter((name) => !META_COLUMNS.includes(name));
  const state = currentStateSql(rows, sourceKey(snapshot) ?? [], own);
  const list = columns.map((name) => {
    const timed = snapshot.schema.fields.find((f) => f.name === name)?.type === "timestamp";
    return `${timed ? `epoch_us(${identifier(name)})` : identifier(name)}::VARCHAR`;
  });
  const found = await lake.duckdb.rows(`SELECT [${list.join(", ")}] AS row FROM (${state})`);
  return found.map(({ row }) => JSON.stringify(row)).sort();
}

/** All rows of a bronze table in the order of their changes. */
export async function bronzeChanges(lake: Lake, path: TablePath): Promise<Row[]> {
  const table = lake.table(path);
  const rows = await scanSql(table.store, scannable(await table.existingSnapshot()));
  return lake.duckdb.rows(`SELECT * FROM (${rows}) ORDER BY _ingot_lsn, _ingot_seq`);
}
