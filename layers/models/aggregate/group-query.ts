/** Queries of which DuckDB's syntax tree shows the groups that a change touches: one SELECT, tables joined, GROUP BY. */
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import {
  columnNames,
  functionsIn,
  mapNode,
  nodeOf,
  nodesOf,
  parseQuery,
  type SyntaxNode,
  within,
} from "../syntax.ts";
import { type JoinTree, joinTree, LAYERS, leavesOf } from "./join-tree.ts";

export interface GroupQuery {
  readonly tree: JoinTree;
  /** Expressions of the contract's key, over the tables' columns and `aliases`. */
  readonly keys: ReadonlyMap<string, SyntaxNode>;
  /** Expressions of the select list by their names in lower case: other expressions may use these. */
  readonly aliases: ReadonlyMap<string, SyntaxNode>;
  readonly where: SyntaxNode | undefined;
}

/** The query as one of groups, or why it is none. */
export async function groupQuery(
  duckdb: DuckDb,
  sql: string,
  key: readonly string[],
): Promise<GroupQuery | string> {
  const parsed = await parseQuery(duckdb, sql);
  if (parsed === undefined) return "it is no query";
  const node = mapNode(parsed, withoutLayer);
  const reason = oddityOf(node);
  if (reason !== undefined) return reason;
  const tree = joinTree(nodeOf(node.from_table));
  if (typeof tree === "string") return tree;
  const names = leavesOf(tree).map((leaf) => leaf.name.toLowerCase());
  if (new Set(names).size < names.length) return "two of its tables have one name";
  const aliases = new Map(nodesOf(node.select_list).map((item) => [nameOf(item).toLowerCase(), item]));
  const keys = new Map<string, SyntaxNode>();
  for (const name of key) {
    const item = aliases.get(name.toLowerCase());
    if (item === undefined) return `its select list does not name ${name}, of the key`;
    keys.set(name, item);
  }
  const odd = await functionsIn(duckdb, [...keys.values()], "aggregate");
  if (odd.length > 0) return `its key is made of aggregates (${odd.join(", ")})`;
  return { tree, keys, aliases, where: nodeOf(node.where_clause) };
}

/** References of columns without the layer: where keys are looked for tables stand elsewhere. */
function withoutLayer(node: SyntaxNode): SyntaxNode | undefined {
  const names = columnNames(node) ?? [];
  return names.length > 2 && LAYERS.includes(names[0] ?? "")
    ? { ...node, column_names: names.slice(1) }
    : undefined;
}

/** What else than groups of joined tables a query is. */
function oddityOf(node: SyntaxNode): string | undefined {
  if (node.type !== "SELECT_NODE") return "it is more than one SELECT";
  if (nodesOf(nodeOf(node.cte_map)?.map).length > 0) return "it has a WITH clause";
  for (const { class: kind } of within(node)) {
    if (kind === "SUBQUERY") return "it has a sub-query";
    if (kind === "WINDOW") return "it has a window function";
  }
  if (nodesOf(node.modifiers).some(({ type }) => type !== "ORDER_MODIFIER"))
    return "it has a LIMIT or DISTINCT clause";
  if (node.qualify !== null || node.sample !== null) return "it has a QUALIFY or SAMPLE clause";
  const sets = Array.isArray(node.group_sets) ? node.group_sets.length : 0;
  if (sets > 1) return "it groups by more than one set";
  if (sets === 0 && node.aggregate_handling !== "FORCE_AGGREGATES") return "it has no GROUP BY clause";
  return undefined;
}

/** The name that a column of a result gets. */
function nameOf(item: SyntaxNode): string {
  if (typeof item.alias === "string" && item.alias !== "") return item.alias;
  return columnNames(item)?.at(-1) ?? "";
}
