import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable, Write } from "../../lakehouse/delta/table.ts";
import type { DuckDb, Row } from "../../lakehouse/duckdb/duckdb.ts";

/** A small schema that most tests of tables can do with. */
const ITEMS: StructType = {
  type: "struct",
  fields: [field("id", "long"), field("name", "string"), field("price", "decimal(12,2)")],
};

/** All rows of a table at a version, in order of the first column. */
export async function readRows(duckdb: DuckDb, table: DeltaTable, version?: number): Promise<Row[]> {
  const snapshot = await table.existingSnapshot(version);
  return duckdb.rows(`${await scanSql(table.store, scannable(snapshot))} ORDER BY 1`);
}

/** Stages the rows of `sql` and commits them on the newest version. */
export async function writeRows(
  duckdb: DuckDb,
  table: DeltaTable,
  sql: string,
  options: Partial<Write> & { overwrite?: boolean; base?: Snapshot | undefined } = {},
) {
  const session = await duckdb.session();
  try {
    const base = "base" in options ? options.base : await table.snapshot();
    const schema = options.schema ?? base?.schema ?? ITEMS;
    return await table.write({
      operation: "WRITE",
      schema,
      staged: await table.stage(session, sql, schema),
      reads: options.overwrite ? "table" : "nothing",
      removes: options.overwrite ? [...(base?.files.values() ?? [])] : [],
      ...options,
      base,
    });
  } finally {
    await session.close();
  }
}
