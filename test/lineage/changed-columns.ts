import type { DuckDb, Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";

/** SQL of a column's value in row `i`, made from a seed. */
export type ColumnMaker = (seed: string) => string;

/** A column of an input, and the columns of a query's result that are others when its values are. */
interface Effect {
  readonly table: string;
  readonly column: string;
  readonly changed: readonly string[];
}

/** Runs a query over made-up tables, and again after each column of each of them was changed. */
export async function changedColumns(
  duckdb: DuckDb,
  tables: Readonly<Record<string, Readonly<Record<string, ColumnMaker>>>>,
  sql: string,
  rows = 12,
): Promise<Effect[]> {
  const session = await duckdb.session();
  try {
    const make = (table: string, changed?: string) =>
      makeTable(session, table, tables[table] ?? {}, rows, changed);
    for (const table of Object.keys(tables)) await make(table);
    const before = await columnsOf(session, sql);
    const effects: Effect[] = [];
    for (const [table, columns] of Object.entries(tables)) {
      for (const column of Object.keys(columns)) {
        await make(table, column);
        const after = await columnsOf(session, sql);
        const changed = [...before.keys()].filter((name) => before.get(name) !== after.get(name));
        effects.push({ table, column, changed });
      }
      await make(table);
    }
    return effects;
  } finally {
    await session.close();
  }
}

async function makeTable(
  session: Session,
  table: string,
  columns: Readonly<Record<string, ColumnMaker>>,
  rows: number,
  changed: string | undefined,
): Promise<void> {
  const [layer = "", name = ""] = table.split(".");
  const items = Object.entries(columns).map(
    ([column, maker]) =>
      `${maker(`'${table}.${column}${column === changed ? " changed" : ""}'`)} AS ${identifier(column)}`,
  );
  await session.view(layer, name, `SELECT ${items.join(", ")} FROM range(${rows}) AS r(i)`);
}

/** The values of every column of a result, as text, whatever their order. */
async function columnsOf(session: Session, sql: string): Promise<Map<string, string>> {
  const rows = await session.rows(`SELECT COLUMNS(*)::VARCHAR FROM (${sql}\n)`);
  const names = Object.keys(rows[0] ?? {});
  return new Map(names.map((name) => [name, JSON.stringify(rows.map((row) => row[name]).sort())]));
}
