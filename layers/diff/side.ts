/** The two sides of a comparison, and which of their columns can be compared. */
import type { ResultColumn } from "../../lakehouse/duckdb/duckdb.ts";

/** One side: a query, and what it gives. */
export interface Side {
  /** What people call it: `version 3`, `shop.silver.orders`. */
  readonly label: string;
  readonly sql: string;
  readonly columns: readonly ResultColumn[];
}

/** A column that only one side has, or that has another type there. */
export interface SchemaDifference {
  readonly column: string;
  readonly left: string | null;
  readonly right: string | null;
}

/** A column that both sides have, and the type in which its values are compared. */
export interface ComparedColumn {
  readonly name: string;
  readonly type: string;
}

export interface PairedColumns {
  readonly columns: readonly ComparedColumn[];
  readonly schema: readonly SchemaDifference[];
}

const WHOLE = /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)$/;
const DECIMAL = /^DECIMAL\((\d+),\s*(\d+)\)$/;
const NUMBER = /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|FLOAT|DOUBLE|DECIMAL\(.*\))$/;
const CLOCK = /^(DATE|TIMESTAMP)$/;
const TIME = /^(DATE|TIMESTAMP|TIMESTAMP WITH TIME ZONE)$/;

/** Pairs the columns by name, in the order of the left side. */
export function pairColumns(left: Side, right: Side): PairedColumns {
  const others = new Map(right.columns.map(({ name, type }) => [name, type]));
  const own = new Set(left.columns.map(({ name }) => name));
  const columns: ComparedColumn[] = [];
  const schema: SchemaDifference[] = [];
  for (const { name, type } of left.columns) {
    const other = others.get(name);
    if (other !== type) schema.push({ column: name, left: type, right: other ?? null });
    if (other !== undefined) columns.push({ name, type: commonType(type, other) });
  }
  for (const { name, type } of right.columns)
    if (!own.has(name)) schema.push({ column: name, left: null, right: type });
  return { columns, schema };
}

/** A type that holds the values of both without loss; text where there is none. */
function commonType(a: string, b: string): string {
  if (a === b) return a;
  if (WHOLE.test(a) && WHOLE.test(b)) return "HUGEINT";
  if (CLOCK.test(a) && CLOCK.test(b)) return "TIMESTAMP";
  if (TIME.test(a) && TIME.test(b)) return "TIMESTAMP WITH TIME ZONE";
  const scales = [a, b].map((type) => (WHOLE.test(type) ? 0 : Number(DECIMAL.exec(type)?.[2] ?? Number.NaN)));
  const scale = Math.max(...scales);
  // A text of digits is what cannot be too large; 38 digits hold all decimals, and 64-bit integers beside 19 places.
  if (Number.isFinite(scale)) return scale <= 19 ? `DECIMAL(38,${scale})` : "VARCHAR";
  return NUMBER.test(a) && NUMBER.test(b) ? "DOUBLE" : "VARCHAR";
}
