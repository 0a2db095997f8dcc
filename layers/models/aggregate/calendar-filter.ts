/**
 * Keys that are calendar units of a column: files say between which values their rows lie, not of which quarters they
 * are. What is known of the touched units is said of the column.
 */
import type { DataType } from "../../../lakehouse/delta/schema.ts";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import { columnNames, nodeOf, nodesOf, type SyntaxNode } from "../syntax.ts";
import type { Columns, Leaf } from "./join-tree.ts";
import type { KeyValues } from "./key-filter.ts";

const DATES: readonly unknown[] = ["date", "timestamp", "timestamp_ntz"];
const UNITS: Readonly<Record<string, string>> = {
  year: "1 YEAR",
  quarter: "3 MONTH",
  month: "1 MONTH",
  week: "7 DAY",
  day: "1 DAY",
  hour: "1 HOUR",
  minute: "1 MINUTE",
};

/** Between which values an expression lies, as SQL. */
interface Bounds {
  readonly low: string;
  readonly high: string;
  /** Whether these are instants, or times by a clock. */
  readonly isInstant: boolean;
}

/** A condition over the columns of a leaf that all rows of the touched groups fulfil; undefined where none is known. */
export function calendarFilter(
  expression: SyntaxNode,
  { range, hasNull, field }: KeyValues,
  columns: Columns,
  typeOf: (leaf: Leaf, column: string) => DataType | undefined,
): { readonly leaf: Leaf; readonly condition: string } | undefined {
  if (range === undefined || hasNull || !DATES.includes(field.type)) return undefined;
  const { low, high } = range;
  // What becomes a day in the contract may have been any time of it.
  let bounds: Bounds | undefined =
    field.type === "date"
      ? { low: `${low}::TIMESTAMP`, high: `${high}::TIMESTAMP + INTERVAL 1 DAY`, isInstant: false }
      : { low, high, isInstant: field.type === "timestamp" };
  let node: SyntaxNode | undefined = expression;
  while (node !== undefined && bounds !== undefined && node.class !== "COLUMN_REF") {
    bounds = argumentBounds(node, bounds);
    node = argumentOf(node);
  }
  const found = columns.find(columnNames(node ?? {}) ?? []);
  if (found === undefined || bounds === undefined) return undefined;
  const type = typeOf(found.leaf, found.column);
  if (!DATES.includes(type) || (bounds.isInstant && type !== "timestamp")) return undefined;
  return {
    leaf: found.leaf,
    condition: `${identifier(found.column)} BETWEEN ${bounds.low} AND ${bounds.high}`,
  };
}

/** What a function of one value, and a constant before it, is of. */
function argumentOf(node: SyntaxNode): SyntaxNode | undefined {
  return node.class === "CAST" ? nodeOf(node.child) : nodesOf(node.children)[1];
}

/** The bounds of the argument of a function that keeps the order of its values; undefined for any other function. */
function argumentBounds(node: SyntaxNode, { low, high, isInstant }: Bounds): Bounds | undefined {
  if (node.class === "CAST") {
    const isDay = nodeOf(node.cast_type)?.id === "DATE";
    return isDay ? { low, high: `${high} + INTERVAL 1 DAY`, isInstant } : undefined;
  }
  const [first, , ...others] = nodesOf(node.children);
  if (node.class !== "FUNCTION" || first?.class !== "CONSTANT" || others.length > 0) return undefined;
  const given = String(nodeOf(first.value)?.value).toLowerCase();
  if (node.function_name === "timezone" && given === "utc" && !isInstant) {
    return { low: `timezone('UTC', ${low})`, high: `timezone('UTC', ${high})`, isInstant: true };
  }
  const span = UNITS[given];
  return node.function_name === "date_trunc" && span !== undefined
    ? { low, high: `${high} + INTERVAL ${span}`, isInstant }
    : undefined;
}
