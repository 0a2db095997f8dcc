/** Rows between DuckDB and JavaScript: what a query has to give, and what becomes of its values. */
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import type { Columns } from "../../../schemas/table.ts";
import { contractValue } from "../../contract/contract-value.ts";

/** Stands before texts on their way: the binding drops a byte order mark that a text begins with. */
const MARK = ".";

/** Values by column, as DuckDB gives them; those of columns that order rows may be texts of the values. */
export type PlainRow = Readonly<Record<string, unknown>>;

/** Items of a SELECT for `plainRow`. */
export const plainItems = (columns: Columns, relation: string): string[] =>
  Object.entries(columns).map(([name, { type }]) => {
    const value = `${relation}.${identifier(name)}`;
    return type === "string" ? marked(value) : value;
  });

/** Items of a SELECT for `textRow`: texts that hold the values of these columns whole, instants with microseconds. */
export const textItems = (names: readonly string[], relation: string): string[] =>
  names.map((name) => marked(`${relation}.${identifier(name)}::VARCHAR`));

const marked = (sql: string) => `${literal(MARK)} || ${sql}`;
const unmarked = (value: unknown) => (typeof value === "string" ? value.slice(MARK.length) : value);

export function plainRow(columns: Columns, values: readonly unknown[]): PlainRow {
  const entries = Object.entries(columns).map(([name, { type }], i) => {
    const value = values[i] ?? null;
    return [name, type === "string" ? unmarked(value) : value] as const;
  });
  return Object.fromEntries(entries);
}

export const textRow = (names: readonly string[], values: readonly unknown[]): PlainRow =>
  Object.fromEntries(names.map((name, i) => [name, unmarked(values[i] ?? null)]));

/** The row as contracts have it, new each time: what is done to it is not done to another. */
export const contractRow = (columns: Columns, row: PlainRow): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(columns).map(([name, { type }]) => [name, contractValue(row[name], type)]),
  );
