import type { ClientBase } from "pg";

/** A column's Postgres type, and its value of a row. */
type ColumnValue<Row> = readonly [type: string, value: (row: Row) => string | number | null];

/** Inserts all rows with one statement: each column is one bound array. Gives their number. */
export async function insertMany<Row>(
  client: ClientBase,
  table: string,
  columns: Readonly<Record<string, ColumnValue<Row>>>,
  rows: readonly Row[],
): Promise<number> {
  if (rows.length === 0) return 0;
  const entries = Object.entries(columns);
  const arrays = entries.map(([, [type]], i) => `$${i + 1}::${type}[]`);
  const result = await client.query(
    `INSERT INTO public.${table} (${entries.map(([name]) => name).join(", ")})
     SELECT * FROM unnest(${arrays.join(", ")})`,
    entries.map(([, [, value]]) => rows.map(value)),
  );
  return result.rowCount ?? 0;
}
