/** Small tables for tests of single cases. */
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { changeFeedSql } from "../../../lakehouse/delta/change/change-feed.ts";
import { type CreateOptions, createTable } from "../../../lakehouse/delta/create.ts";
import { type DataType, field, type StructType } from "../../../lakehouse/delta/schema.ts";
import { DeltaTable, type TableOptions } from "../../../lakehouse/delta/table.ts";
import type { DuckDb, Row } from "../../../lakehouse/duckdb/duckdb.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";

type Columns = Readonly<Record<string, DataType>>;
type Options = Omit<CreateOptions, "schema"> & { readonly engine?: TableOptions };

/** Makes a table of these columns, with the rows of `sql` where that is given. */
type TableOf = (columns: Columns, sql?: string, options?: Options) => Promise<DeltaTable>;

export const struct = (columns: Columns): StructType => ({
  type: "struct",
  fields: Object.entries(columns).map(([name, type]) => field(name, type)),
});

/** Makes tables in folders of their own. */
export function tablesIn(folder: { readonly path: string }, duckdb: DuckDb): TableOf {
  return async (columns, sql, { engine, ...options } = {}) => {
    const table = new DeltaTable(new LocalStore(`${folder.path}/${crypto.randomUUID()}`), duckdb, engine);
    await createTable(table, { ...options, schema: struct(columns) });
    if (sql !== undefined) await appendRows(table, sql);
    return table;
  };
}

/** The changes of the newest version, without its time. */
export async function newestChanges(table: DeltaTable): Promise<Row[]> {
  const { version } = await table.existingSnapshot();
  const feed = await changeFeedSql(table, version, version);
  return table.duckdb.rows(
    `SELECT * EXCLUDE (_commit_version, _commit_timestamp) FROM (${feed}) ORDER BY ALL`,
  );
}
