/**
 * Columns of the key that are columns of an input: its rows are held against the touched keys before they are joined
 * and grouped, however many keys these are.
 */
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import type { ModelRun } from "../run.ts";
import type { GroupQuery } from "./group-query.ts";
import { typesOf } from "./input-filters.ts";
import { type Columns, isAlwaysThere } from "./join-tree.ts";
import { isListed, type KeyValues } from "./key-filter.ts";
import { keyExpressions } from "./touched-sql.ts";

/** Types whose values are equal where they are of one group. */
const COMPARED = /^(string|long|integer|short|byte|date|timestamp|timestamp_ntz|decimal\(.*\))$/;

export interface TouchedInputs {
  /** Conditions over inputs, by reference: those given, and that rows have touched keys. */
  readonly conditions: ReadonlyMap<string, string>;
  /** Columns of the key that rows which fulfil them have no other values in. */
  readonly exact: ReadonlySet<string>;
}

/** Adds to conditions over inputs; `touched` is the table of the touched keys. */
export function touchedInputs(
  run: ModelRun,
  query: GroupQuery,
  columns: Columns,
  touched: string,
  values: readonly KeyValues[],
  given: ReadonlyMap<string, string>,
): TouchedInputs {
  const [typeOf, expressions] = [typesOf(run), keyExpressions(query, columns)];
  const conditions = new Map(given);
  const exact = new Set<string>();
  for (const value of values) {
    const { name, type } = value.field;
    const expression = expressions.get(name);
    const column = expression && columns.plain(expression);
    // Few values are compared with what files say of theirs.
    if (column === undefined || isListed(value) || value.hasNull) continue;
    if (typeof type !== "string" || !COMPARED.test(type) || type !== typeOf(column.leaf, column.column))
      continue;
    if (!isAlwaysThere(query.tree, column.leaf)) continue;
    const { reference } = column.leaf;
    const own = identifier(column.column);
    const { range } = value;
    const all = [
      conditions.get(reference) ?? [],
      // Files are left out by what they say of their rows.
      range === undefined ? [] : `${own} BETWEEN ${range.low} AND ${range.high}`,
      `${own} IN (SELECT ${identifier(name)} FROM main.${touched})`,
    ];
    conditions.set(reference, all.flat().join(" AND "));
    exact.add(name);
  }
  return { conditions, exact };
}
