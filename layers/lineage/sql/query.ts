/** Where the columns of a query come from: SELECT, set operations, CTEs. */

import { type Origins, through, unite } from "../origin.ts";
import { type Analysis, orderExpressions, originsOf } from "./expression.ts";
import { fromClause, type Place } from "./from-clause.ts";
import {
  allOrigins,
  combined,
  distinct,
  EMPTY,
  type Relation,
  type RelationColumn,
  renamed,
} from "./relation.ts";
import { type Ctes, emptyScope, type Scope } from "./scope.ts";
import { itemAt, selectList } from "./select-list.ts";
import { below, child, children, type FunctionNames, type Node, text, texts } from "./syntax-tree.ts";

/** What a query gives; `table` says what is known of the tables that it reads. */
export function analyseQuery(
  query: Node,
  functions: FunctionNames,
  table: (name: string) => Relation,
): { relation: Relation; unresolved: readonly string[] } {
  const unresolved = new Set<string>();
  const analysis: Analysis = {
    functions,
    table,
    unresolved,
    query: (node, ctes, parent) => queryRelation(node, { ctes, parent, analysis }),
  };
  return { relation: analysis.query(query, new Map(), undefined), unresolved: [...unresolved] };
}

function queryRelation(node: Node, outer: Place): Relation {
  const place = { ...outer, ctes: withCtes(node, outer) };
  switch (text(node, "type")) {
    case "SELECT_NODE":
      return select(node, place);
    case "SET_OPERATION_NODE":
      return ordered(node, setOperation(node, place), place);
    case "RECURSIVE_CTE_NODE":
      return recursive(node, place);
    case "CTE_NODE": {
      const [query, rest] = [child(node, "query"), child(node, "child")];
      const cte = query ? queryRelation(query, place) : EMPTY;
      const ctes = new Map(place.ctes).set(
        text(node, "cte_name").toLowerCase(),
        renamed(cte, texts(node, "aliases")),
      );
      return rest ? queryRelation(rest, { ...place, ctes }) : EMPTY;
    }
    default:
      return EMPTY;
  }
}

function withCtes(node: Node, place: Place): Ctes {
  const ctes = new Map(place.ctes);
  for (const entry of children(child(node, "cte_map") ?? {}, "map")) {
    const info = child(entry, "value");
    const query = info && child(child(info, "query") ?? {}, "node");
    if (!info || !query) continue;
    ctes.set(
      text(entry, "key").toLowerCase(),
      renamed(queryRelation(query, { ...place, ctes }), texts(info, "aliases")),
    );
  }
  return ctes;
}

function select(node: Node, place: Place): Relation {
  const { analysis } = place;
  const fromNode = child(node, "from_table");
  const from = fromNode ? fromClause(fromNode, place) : { sources: [], merged: [], rows: [] };
  const base: Scope = { ...emptyScope(place.ctes, place.parent), sources: from.sources, merged: from.merged };
  const items = children(node, "select_list");
  const { columns, others, scope } = selectList(items, base, analysis);
  const of = (inner: Node | undefined) => (inner ? originsOf(inner, scope, analysis) : []);
  const grouped = children(node, "group_expressions").map((g) => itemAt(g, columns) ?? of(g));
  // GROUP BY ALL: by every item that sums nothing up.
  if (text(node, "aggregate_handling") === "FORCE_AGGREGATES") {
    grouped.push(...items.filter((item) => !sumsUp(item, analysis)).map(of));
  }
  const relation: Relation = {
    columns,
    others,
    rows: unite(
      from.rows,
      through("join", unite(...items.flatMap(unnested).map(of))),
      through("filter", of(child(node, "where_clause"))),
      through("group_by", unite(...grouped)),
      through("filter", unite(of(child(node, "having")), of(child(node, "qualify")))),
    ),
    tables: unite(...from.sources.map((source) => source.relation.tables)),
  };
  return limited(node, relation, scope, analysis);
}

/** The lists of an item that become rows. */
function unnested(node: Node): readonly Node[] {
  if (text(node, "class") === "SUBQUERY") return [];
  if (text(node, "class") === "FUNCTION" && text(node, "function_name") === "unnest") return [node];
  return below(node).flatMap(unnested);
}

function sumsUp(node: Node, analysis: Analysis): boolean {
  const kind = text(node, "class");
  if (kind === "WINDOW" || kind === "SUBQUERY") return false;
  if (kind === "FUNCTION" && analysis.functions.aggregates.has(text(node, "function_name"))) return true;
  return below(node).some((inner) => sumsUp(inner, analysis));
}

/** DISTINCT, and ORDER BY where it decides which rows are left: a table keeps no order. */
function limited(node: Node, relation: Relation, scope: Scope, analysis: Analysis): Relation {
  const modifiers = children(node, "modifiers");
  const all = (nodes: readonly Node[]): Origins =>
    unite(...nodes.map((n) => itemAt(n, relation.columns) ?? originsOf(n, scope, analysis)));
  const isDistinct = modifiers.filter((m) => text(m, "type") === "DISTINCT_MODIFIER");
  const on = isDistinct.flatMap((m) => children(m, "distinct_on_targets"));
  const cuts = modifiers.some((m) => text(m, "type").startsWith("LIMIT"));
  const orders = cuts || on.length > 0 ? modifiers.flatMap((m) => orderExpressions(m, "orders")) : [];
  const result = isDistinct.length > 0 && on.length === 0 ? distinct(relation) : relation;
  const rows = unite(result.rows, through("group_by", all(on)), through("sort", all(orders)));
  return { ...result, rows };
}

function setOperation(node: Node, { ctes, parent, analysis }: Place): Relation {
  const side = (name: string) => {
    const query = child(node, name);
    return query ? analysis.query(query, ctes, parent) : EMPTY;
  };
  const [left, right] = [side("left"), side("right")];
  const type = text(node, "setop_type");
  if (!type.startsWith("UNION")) {
    // EXCEPT, INTERSECT: the right side only decides which rows of the left one there are.
    const compared = through("filter", unite(allOrigins(left), allOrigins(right)));
    return { ...left, rows: unite(left.rows, right.rows, compared) };
  }
  const both = combined(left, right, type.endsWith("BY_NAME") ? "name" : "position");
  return node.setop_all === false ? distinct(both) : both;
}

function ordered(node: Node, relation: Relation, { ctes, parent, analysis }: Place): Relation {
  const scope = { ...emptyScope(ctes, parent), sources: [{ path: [], relation }] };
  return limited(node, relation, scope, analysis);
}

/** A recursive CTE: what it gives goes into it again, until nothing new comes in. */
function recursive(node: Node, place: Place): Relation {
  const [left, right] = [child(node, "left"), child(node, "right")];
  const name = text(node, "cte_name").toLowerCase();
  const aliases = texts(node, "aliases");
  let relation = left ? queryRelation(left, place) : EMPTY;
  for (let size = -1; right && size !== sizeOf(relation); ) {
    size = sizeOf(relation);
    const ctes = new Map(place.ctes).set(name, renamed(relation, aliases));
    relation = combined(relation, queryRelation(right, { ...place, ctes }), "position");
  }
  return node.union_all === false ? distinct(relation) : relation;
}

const sizeOf = ({ columns, rows }: Relation) =>
  columns.reduce((sum: number, column: RelationColumn) => sum + column.origins.length, rows.length);
