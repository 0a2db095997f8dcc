/** Tables with small files, odd partition values and deletion vectors, for tests of maintenance. */
import fc from "fast-check";
import { alterTable } from "../../../lakehouse/delta/alter.ts";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { updateRows } from "../../../lakehouse/delta/change/update.ts";
import { createTable } from "../../../lakehouse/delta/create.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import { field, type StructType } from "../../../lakehouse/delta/schema.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { conditions, rowsSql } from "../../support/table-model.ts";

const SCHEMA: StructType = {
  type: "struct",
  fields: [field("k", "integer"), field("v", "long"), field("s", "string"), field("p", "string")],
};

/** How a table is laid out. */
export const layouts = fc.record({
  partitioned: fc.boolean(),
  vectors: fc.boolean(),
  feed: fc.boolean(),
  mapped: fc.boolean(),
});
export type TableLayout = typeof layouts extends fc.Arbitrary<infer T> ? T : never;

/** Changes of rows that leave small files, deletion vectors and tombstones behind. */
export const histories = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ append: rowsSql(6) }) },
    { weight: 1, arbitrary: fc.record({ delete: conditions }) },
    { weight: 1, arbitrary: fc.record({ update: conditions }) },
    { weight: 1, arbitrary: fc.constant({ grow: true as const }) },
  ),
  { minLength: 1, maxLength: 7 },
);
export type Change = typeof histories extends fc.Arbitrary<(infer T)[]> ? T : never;

/** An empty table of the columns k, v, s, p. */
export async function makeTable(table: DeltaTable, layout: Partial<TableLayout> = {}): Promise<DeltaTable> {
  await createTable(table, {
    schema: SCHEMA,
    partitionBy: layout.partitioned ? ["p"] : [],
    properties: {
      ...(layout.vectors ? { "delta.enableDeletionVectors": "true" } : {}),
      ...(layout.feed ? { "delta.enableChangeDataFeed": "true" } : {}),
      ...(layout.mapped ? { "delta.columnMapping.mode": "name" } : {}),
    },
  });
  return table;
}

export async function applyChange(table: DeltaTable, change: Change): Promise<void> {
  if ("append" in change) await appendRows(table, change.append);
  else if ("delete" in change) await deleteRows(table, change.delete);
  else if ("update" in change) await updateRows(table, { v: "coalesce(v, 0) + 1" }, change.update);
  else if (!(await table.existingSnapshot()).schema.fields.some((f) => f.name === "added")) {
    await alterTable(table, { addColumn: { name: "added", type: "double" } });
  }
}

/** All rows of a version as sorted text. */
export async function rowsOf(table: DeltaTable, version?: number): Promise<string[]> {
  const sql = await scanSql(table.store, scannable(await table.existingSnapshot(version)));
  const rows = await table.duckdb.rows(`SELECT to_json(t)::VARCHAR AS row FROM (${sql}) AS t ORDER BY 1`);
  return rows.map(({ row }) => String(row));
}

/** One row as SQL. */
export const row = (k: number, p = "a") =>
  `SELECT ${k}::INTEGER AS k, ${k}::BIGINT AS v, 's${k}' AS s, '${p}' AS p`;
