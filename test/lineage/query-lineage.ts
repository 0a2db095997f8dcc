import { expect } from "vitest";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { readLineage } from "../../layers/lineage/pipeline-lineage.ts";
import { type ColumnMaker, changedColumns } from "./changed-columns.ts";

const number =
  (range: number): ColumnMaker =>
  (seed) =>
    `(hash(i, ${seed}) % ${range})::INTEGER`;
const word =
  (...words: readonly string[]): ColumnMaker =>
  (seed) =>
    `[${words.map((w) => `'${w}'`).join(", ")}][(hash(i, ${seed}) % ${words.length} + 1)::BIGINT]`;

/** Columns of the tables, each with SQL that makes its value in row `i` from a seed. */
const DATA = {
  "bronze.orders": {
    id: number(9),
    cart_id: number(5),
    user_id: number(6),
    status: word("paid", "open", "gone", "DE"),
    total: number(12),
    made: number(8),
    payload: (seed: string) => `{'address': {'city': ${word("A", "B", "C")(seed)}}, 'x': ${number(9)(seed)}}`,
    doc: (seed: string) => `('{"y": {"z": ' || ${number(9)(seed)} || '}}')::JSON`,
    tags: (seed: string) => `[${word("p", "", "q")(seed)}, ${word("r", "s")(seed)}]`,
  },
  "bronze.users": { id: number(6), name: word("1", "2", "3"), country: word("DE", "paid", "FR") },
  "bronze.carts": { id: number(6), user_id: number(6) },
};
export const TABLES = new Map(Object.entries(DATA).map(([name, columns]) => [name, Object.keys(columns)]));

/**
 * Lineage of a query with these output columns, as `how table.column`; bronze tables are written without layer. Runs
 * the query too: a column of the output that is another after one of an input was changed has to come from it.
 */
export async function lineageOf(duckdb: DuckDb, sql: string, names: readonly string[], tables = TABLES) {
  const contract = { columns: Object.fromEntries(names.map((name) => [name, {}])) };
  const { models } = await readLineage(duckdb, [{ name: "silver.t", sql, file: "t.sql", contract }], tables);
  const found = models.get("silver.t");
  if (!found) throw new Error("no lineage");
  expect(found.unresolved).toEqual([]);
  if (tables === TABLES) {
    for (const { table, column, changed } of await changedColumns(duckdb, DATA, sql)) {
      const comesFrom = (origins: readonly { table: string; column: string }[] = []) =>
        origins.some((origin) => origin.table === table && origin.column === column);
      if (comesFrom(found.rows)) continue;
      const missed = changed.filter((name) => found.columns.has(name) && !comesFrom(found.columns.get(name)));
      expect(missed, `of ${table}.${column}`).toEqual([]);
    }
  }
  const show = (origins: readonly { table: string; column: string; how: string }[]) =>
    origins.map((o) => `${o.how} ${o.table.replace("bronze.", "")}.${o.column}`).sort();
  return {
    ...Object.fromEntries([...found.columns].map(([name, origins]) => [name, show(origins)])),
    rows: show(found.rows.filter((origin) => origin.column !== "*")),
    tables: show(found.rows.filter((origin) => origin.column === "*")),
  };
}

/** The lineage that is expected; what is not asked about may be anything. */
export const only = (
  expected: Record<string, readonly string[]>,
  ignored: readonly string[] = ["tables"],
) => ({
  ...Object.fromEntries(ignored.map((name) => [name, expect.anything()])),
  ...expected,
});
