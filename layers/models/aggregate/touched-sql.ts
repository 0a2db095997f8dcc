/** The SQL of the keys that a change touches, from the syntax tree of a model's query. */

import { duckdbType, type StructField } from "../../../lakehouse/delta/schema.ts";
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import { columnNames, mapNode, queryText, type SyntaxNode } from "../syntax.ts";
import type { GroupQuery } from "./group-query.ts";
import { type Columns, joinsOf, leavesOf } from "./join-tree.ts";
import { type State, TouchedTree } from "./touched-tree.ts";

/** Deeper than this, names of the select list stand for themselves. */
const MOST_ALIASES = 20;

/** The expressions of the key over columns of tables alone, each column by its leaf. */
export function keyExpressions({ keys, aliases }: GroupQuery, columns: Columns): Map<string, SyntaxNode> {
  const resolve = (expression: SyntaxNode, depth: number): SyntaxNode =>
    mapNode(columns.qualified(expression), (node) => {
      const [name = "", ...others] = columnNames(node) ?? [];
      const alias = others.length === 0 ? aliases.get(name.toLowerCase()) : undefined;
      if (alias === undefined || depth > MOST_ALIASES) return undefined;
      return { ...resolve(alias, depth + 1), alias: "" };
    });
  return new Map([...keys].map(([name, expression]) => [name, resolve(expression, 0)]));
}

/**
 * Queries that give the keys of the groups which changes of these inputs touch, in the types of `fields`, the
 * columns of the key. Or the reference of an input of which the tree does not show it.
 */
export async function touchedSql(
  duckdb: DuckDb,
  query: GroupQuery,
  columns: Columns,
  fields: readonly StructField[],
  changed: ReadonlyMap<string, Readonly<Record<State, boolean>>>,
): Promise<string[] | { readonly unknown: string }> {
  const expressions = keyExpressions(query, columns);
  const touched = new TouchedTree(query.tree, columns, [...expressions.values()]);
  // A condition drops joined rows; where a join decides by it whether there is a match, it could drop too many.
  const where = joinsOf(query.tree).some(({ kind }) => kind === "left") ? null : (query.where ?? null);
  const parts: string[] = [];
  for (const leaf of leavesOf(query.tree)) {
    const sides = changed.get(leaf.reference);
    if (sides === undefined) continue;
    for (const state of ["old", "new"] as const) {
      if (!sides[state] && !touched.decides(leaf)) continue;
      const from = touched.fromClause(leaf, state);
      if (from === undefined) return { unknown: leaf.reference };
      const text = await queryText(duckdb, selectNode([...expressions], from, where));
      const list = fields.map(
        (f) => `TRY_CAST(${identifier(f.name)} AS ${duckdbType(f.type)}) AS ${identifier(f.name)}`,
      );
      parts.push(`SELECT DISTINCT ${list.join(", ")} FROM (${text})`);
    }
  }
  return parts;
}

function selectNode(
  list: readonly (readonly [name: string, expression: SyntaxNode])[],
  from: SyntaxNode,
  where: SyntaxNode | null,
): SyntaxNode {
  return {
    type: "SELECT_NODE",
    modifiers: [{ type: "DISTINCT_MODIFIER", distinct_on_targets: [] }],
    cte_map: { map: [] },
    select_list: list.map(([alias, expression]) => ({ ...expression, alias })),
    from_table: from,
    where_clause: where,
    group_expressions: [],
    group_sets: [],
    aggregate_handling: "STANDARD_HANDLING",
    having: null,
    sample: null,
    qualify: null,
  };
}
