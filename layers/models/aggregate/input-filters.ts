/**
 * Which rows of the inputs the touched groups are made of, as far as ranges tell it: files know the ranges of their
 * columns, so that most of a large table is not read. A range goes from table to table along equalities of joins.
 */
import { type DataType, duckdbType } from "../../../lakehouse/delta/schema.ts";
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import type { ModelRun } from "../run.ts";
import { nodeOf, nodesOf, type SyntaxNode } from "../syntax.ts";
import { calendarFilter } from "./calendar-filter.ts";
import type { GroupQuery } from "./group-query.ts";
import {
  type Columns,
  isAlwaysThere,
  isReadOnce,
  type Join,
  joinsOf,
  type Leaf,
  leavesOf,
} from "./join-tree.ts";
import type { KeyValues } from "./key-filter.ts";
import { keyExpressions } from "./touched-sql.ts";

/** Types whose order a range can tell, and whose values literals hold. */
const ORDERED = /^(long|integer|short|byte|date|timestamp|timestamp_ntz|decimal\(.*\))$/;

/** Conditions over inputs, by reference, that all rows of the touched groups fulfil. */
export async function inputFilters(
  run: ModelRun,
  query: GroupQuery,
  columns: Columns,
  values: readonly KeyValues[],
): Promise<ReadonlyMap<string, string>> {
  const { tree } = query;
  const typeOf = typesOf(run);
  const filters = new Map<string, string>();
  const expressions = keyExpressions(query, columns);
  for (const value of values) {
    const expression = expressions.get(value.field.name);
    const found = expression && calendarFilter(expression, value, columns, typeOf);
    if (found && isAlwaysThere(tree, found.leaf)) filters.set(found.leaf.reference, found.condition);
  }
  for (const join of joinsOf(tree)) {
    for (const { from, to } of equalities(join, columns)) {
      if (!filters.has(from.leaf.reference) || filters.has(to.leaf.reference) || !isReadOnce(tree, to.leaf))
        continue;
      const condition = await rangeFilter(run, from, to, filters.get(from.leaf.reference) ?? "true", typeOf);
      if (condition !== undefined) filters.set(to.leaf.reference, condition);
    }
  }
  return filters;
}

/** The types of the columns of leaves. */
export const typesOf =
  ({ inputs }: ModelRun) =>
  ({ reference }: Leaf, column: string): DataType | undefined =>
    inputs.get(reference)?.schema.fields.find((f) => f.name.toLowerCase() === column.toLowerCase())?.type;

interface Side {
  readonly leaf: Leaf;
  readonly column: string;
}

/** What a column that equals one of a bounded table lies between. */
async function rangeFilter(
  { session }: ModelRun,
  from: Side,
  to: Side,
  where: string,
  typeOf: (leaf: Leaf, column: string) => DataType | undefined,
): Promise<string | undefined> {
  const type = typeOf(to.leaf, to.column);
  if (typeof type !== "string" || type !== typeOf(from.leaf, from.column) || !ORDERED.test(type))
    return undefined;
  const table = from.leaf.reference.split(".").map(identifier).join(".");
  const column = identifier(from.column);
  const [range] = await session.rows(
    `SELECT min(${column})::VARCHAR AS low, max(${column})::VARCHAR AS high FROM ${table} WHERE ${where}`,
  );
  if (typeof range?.low !== "string") return "false";
  const typed = (value: unknown) => `${literal(String(value))}::${duckdbType(type)}`;
  return `${identifier(to.column)} BETWEEN ${typed(range.low)} AND ${typed(range.high)}`;
}

/** Columns that are equal in all matches of a join. Of a left join, only its right side can be told by its left. */
function equalities(join: Join, columns: Columns): { readonly from: Side; readonly to: Side }[] {
  const left = new Set(leavesOf(join.left));
  const pairs: (readonly [Side | undefined, Side | undefined])[] = conjuncts(join.node.condition).map(
    (node) => {
      const sides = [nodeOf(node.left), nodeOf(node.right)].map((side) => side && columns.plain(side));
      return [sides[0], sides[1]];
    },
  );
  const using = Array.isArray(join.node.using_columns) ? join.node.using_columns.map(String) : [];
  for (const column of using) {
    const owner = (tree: Join["left"]) => leavesOf(tree).find((leaf) => columns.has(leaf, column));
    const [a, b] = [owner(join.left), owner(join.right)];
    if (a && b)
      pairs.push([
        { leaf: a, column },
        { leaf: b, column },
      ]);
  }
  return pairs.flatMap(([a, b]) => {
    if (a === undefined || b === undefined || left.has(a.leaf) === left.has(b.leaf)) return [];
    const [from, to] = left.has(a.leaf) ? [a, b] : [b, a];
    return join.kind === "left"
      ? [{ from, to }]
      : [
          { from, to },
          { from: to, to: from },
        ];
  });
}

function conjuncts(condition: unknown): SyntaxNode[] {
  const node = nodeOf(condition);
  if (node?.type === "CONJUNCTION_AND") return nodesOf(node.children).flatMap(conjuncts);
  return node?.type === "COMPARE_EQUAL" ? [node] : [];
}
