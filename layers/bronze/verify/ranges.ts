/** Ranges of a key: together they hold every row, whatever its key; each is small enough to be read at once. */

import { duckdbType } from "../../../lakehouse/delta/schema.ts";
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import type { RangeColumn } from "./key-order.ts";

/** Keys from `from` on, before `to`; without one it is open. Bounds are text that both engines read. */
export interface KeyRange {
  readonly from: string | undefined;
  readonly to: string | undefined;
}

export const WHOLE: KeyRange = { from: undefined, to: undefined };

/** Rows that stand for all others when ranges are chosen. */
const SAMPLE = 200_000;

/**
 * Ranges of about `rangeRows` rows of the lake. `lake_rows` is a table of the session with the key as `k`.
 */
export async function chooseRanges(session: Session, rows: number, rangeRows: number): Promise<KeyRange[]> {
  const count = Math.ceil(rows / rangeRows);
  if (count <= 1) return [WHOLE];
  const shares = Array.from({ length: count - 1 }, (_, i) => (i + 1) / count);
  const bounds = await session.rows(
    `SELECT DISTINCT k, k::VARCHAR AS bound
       FROM (SELECT unnest(quantile_disc(k, [${shares.join(", ")}])) AS k
               FROM (SELECT k FROM lake_rows USING SAMPLE reservoir(${SAMPLE} ROWS) REPEATABLE (1)))
      WHERE k IS NOT NULL ORDER BY k`,
  );
  const texts = bounds.map(({ bound }) => String(bound));
  return [...texts, undefined].map((to, i) => ({ from: texts[i - 1], to }));
}

/** Condition of Postgres. */
export function sourceCondition(column: RangeColumn | undefined, { from, to }: KeyRange): string {
  if (column === undefined || (from === undefined && to === undefined)) return "true";
  const name = identifier(column.name);
  const parts = [
    ...(from === undefined ? [] : [`${name} >= ${literal(from)}`]),
    ...(to === undefined ? [] : [`${name} < ${literal(to)}`]),
  ];
  const inside = parts.join(" AND ");
  return from === undefined && column.mayBeNull ? `(${inside} OR ${name} IS NULL)` : inside;
}

/** The same for DuckDB, on an expression of the column's type. */
export function lakeCondition(column: RangeColumn, { from, to }: KeyRange, expression: string): string {
  const parts = [
    ...(from === undefined ? [] : [`${expression} >= ${lakeLiteral(column, from)}`]),
    ...(to === undefined ? [] : [`${expression} < ${lakeLiteral(column, to)}`]),
  ];
  if (parts.length === 0) return "true";
  return from === undefined ? `(${parts.join(" AND ")} OR ${expression} IS NULL)` : parts.join(" AND ");
}

/** Compared with a column, text takes the column's type; compared with text it is text. */
const lakeLiteral = (column: RangeColumn, bound: string): string =>
  column.type === "string" ? literal(bound) : `${literal(bound)}::${duckdbType(column.type)}`;
