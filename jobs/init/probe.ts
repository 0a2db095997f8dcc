/** Looks into tables that are small, or have no statistics yet, for values that only Postgres has. */
import type pg from "pg";
import { z } from "zod";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { codeOf } from "../../lakehouse/errors.ts";
import { type FoundColumn, type FoundTable, MISPLACED, MISPLACING } from "./read-tables.ts";

/** Rows that are looked at. */
const ROWS = 10_000;

/** The tables, with `misplaced` for columns whose first rows hold such values. A table that is locked is as it was. */
export async function probeTables(client: pg.Client, tables: readonly FoundTable[]): Promise<FoundTable[]> {
  const probed: FoundTable[] = [];
  await client.query("SET lock_timeout = '2s'");
  for (const table of tables) probed.push((table.rows ?? 0) > ROWS ? table : await probe(client, table));
  await client.query("RESET lock_timeout");
  return probed;
}

async function probe(client: pg.Client, table: FoundTable): Promise<FoundTable> {
  const doubtful = table.columns.filter(({ required, base }) => required && MISPLACING.includes(base));
  if (doubtful.length === 0) return table;
  const names = doubtful.map(({ name }) => identifier(name));
  const tests = names.map((name) => `coalesce(bool_or(${name}::text ~ '${MISPLACED}'), false)`);
  const from = `${identifier(table.schema)}.${identifier(table.name)}`;
  try {
    const { rows } = await client.query(
      `SELECT ARRAY[${tests.join(", ")}] AS found FROM (SELECT ${names.join(", ")} FROM ${from} LIMIT ${ROWS}) t`,
    );
    const [{ found } = { found: [] }] = z.array(z.object({ found: z.array(z.boolean()) })).parse(rows);
    const isMisplaced = (column: FoundColumn) => found[doubtful.indexOf(column)] === true;
    return {
      ...table,
      columns: table.columns.map((column) => ({
        ...column,
        misplaced: column.misplaced || isMisplaced(column),
      })),
    };
  } catch (error) {
    if (codeOf(error) === "55P03") return table;
    throw error;
  }
}
