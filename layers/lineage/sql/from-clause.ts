/** What a FROM clause offers: relations under their names, and what joins decide. */

import { type Origins, through, unite } from "../origin.ts";
import { type Analysis, originsOf } from "./expression.ts";
import { columnOf, EMPTY, type Relation, type RelationColumn, renamed, sameName } from "./relation.ts";
import { type Ctes, emptyScope, resolve, type Scope, type Source } from "./scope.ts";
import { child, children, type Node, text, texts } from "./syntax-tree.ts";

export interface From {
  readonly sources: readonly Source[];
  readonly merged: readonly RelationColumn[];
  /** What decides which rows there are: of the relations, and of their joins. */
  readonly rows: Origins;
}

/** What a query is inside of. */
export interface Place {
  readonly ctes: Ctes;
  readonly parent: Scope | undefined;
  readonly analysis: Analysis;
}

/** The relations of a FROM clause; `before` are those that a lateral part of it may name. */
export function fromClause(node: Node, place: Place, before: readonly Source[] = []): From {
  switch (text(node, "type")) {
    case "BASE_TABLE":
      return single(node, baseTable(node, place), tablePath(node));
    case "SUBQUERY": {
      const query = child(child(node, "subquery") ?? {}, "node");
      const around = { ...emptyScope(place.ctes, place.parent), sources: before };
      return single(node, query ? place.analysis.query(query, place.ctes, around) : EMPTY, []);
    }
    case "JOIN":
      return join(node, place, before);
    case "TABLE_FUNCTION":
      return single(node, tableFunction(node, place, before), []);
    case "EXPRESSION_LIST":
      return single(node, values(node), []);
    case "PIVOT":
      return pivot(node, place, before);
    default:
      return { sources: [], merged: [], rows: [] };
  }
}

function single(node: Node, relation: Relation, path: readonly string[]): From {
  const alias = text(node, "alias");
  const named = renamed(relation, texts(node, "column_name_alias"));
  return { sources: [{ path: alias ? [alias] : path, relation: named }], merged: [], rows: relation.rows };
}

const tablePath = (node: Node) =>
  ["catalog_name", "schema_name", "table_name"]
    .map((field) => text(node, field))
    .filter((name) => name !== "");

function baseTable(node: Node, { ctes, analysis }: Place): Relation {
  const name = text(node, "table_name");
  const schema = text(node, "schema_name");
  if (schema !== "") return analysis.table(`${schema}.${name}`);
  const cte = ctes.get(name.toLowerCase());
  if (cte === undefined) analysis.unresolved.add(name);
  return cte ?? EMPTY;
}

/** `VALUES`: columns of constants. */
function values(node: Node): Relation {
  const [row] = Array.isArray(node.values) ? node.values : [];
  const width = Array.isArray(row) ? row.length : 0;
  return { ...EMPTY, columns: Array.from({ length: width }, (_, i) => ({ name: `col${i}`, origins: [] })) };
}

/** `unnest(list)`, `generate_series(a, b)`, `read_json(…)`: whatever they give is made of their arguments. */
function tableFunction(node: Node, place: Place, before: readonly Source[]): Relation {
  const call = child(node, "function");
  if (!call) return EMPTY;
  const around = { ...emptyScope(place.ctes, place.parent), sources: before };
  const origins = through("transformation", originsOf(call, around, place.analysis));
  return {
    columns: [{ name: text(call, "function_name"), origins }],
    others: () => origins,
    // Arguments also decide how many rows there are.
    rows: through("join", origins),
    tables: [],
  };
}

function join(node: Node, place: Place, before: readonly Source[]): From {
  const [leftNode, rightNode] = [child(node, "left"), child(node, "right")];
  if (!leftNode || !rightNode) return { sources: [], merged: [], rows: [] };
  const left = fromClause(leftNode, place, before);
  const right = fromClause(rightNode, place, [...before, ...left.sources]);
  const type = text(node, "join_type");
  const merged = sharedColumns(node, left, right).map((name): [RelationColumn, Origins] => {
    const [l, r] = [sideColumn(left, name), sideColumn(right, name)];
    const origins = type === "RIGHT" ? r : type === "OUTER" || type === "FULL" ? unite(l, r) : l;
    return [{ name, origins }, unite(l, r)];
  });
  const on = child(node, "condition");
  const scope = { ...emptyScope(place.ctes, place.parent), sources: [...left.sources, ...right.sources] };
  // Of a semi join only the left side can be named from then on.
  const oneSided = type === "SEMI" || type === "ANTI";
  const existence = oneSided ? right.sources.map(({ relation }) => relation.tables) : [];
  return {
    sources: oneSided ? left.sources : scope.sources,
    merged: [
      ...merged.map(([column]) => column),
      ...left.merged.filter(not(merged)),
      ...right.merged.filter(not(merged)),
    ],
    rows: unite(
      left.rows,
      right.rows,
      through(
        "join",
        unite(on ? originsOf(on, scope, place.analysis) : [], ...merged.map(([, both]) => both)),
      ),
      through("filter", unite(...existence)),
    ),
  };
}

const not = (merged: readonly (readonly [RelationColumn, Origins])[]) => (column: RelationColumn) =>
  !merged.some(([{ name }]) => sameName(name, column.name));

/** Names that both sides have and that stand for one column: of `USING`, or all of them for `NATURAL`. */
function sharedColumns(node: Node, left: From, right: From): readonly string[] {
  if (text(node, "ref_type") !== "NATURAL") return texts(node, "using_columns");
  const names = (from: From) => from.sources.flatMap(({ relation }) => relation.columns.map((c) => c.name));
  return names(left).filter((name) => names(right).some((other) => sameName(name, other)));
}

function sideColumn(side: From, name: string): Origins {
  const merged = side.merged.find((column) => sameName(column.name, name));
  if (merged) return merged.origins;
  for (const { relation } of side.sources) {
    const found = columnOf(relation, name) ?? relation.others?.(name);
    if (found) return found;
  }
  return [];
}

/** `PIVOT` and `UNPIVOT`: what becomes of which column is up to the rows, so new columns come from all that is named. */
function pivot(node: Node, place: Place, before: readonly Source[]): From {
  const source = child(node, "source");
  if (!source) return { sources: [], merged: [], rows: [] };
  const inner = fromClause(source, place, before);
  const scope = { ...emptyScope(place.ctes, place.parent), sources: inner.sources };
  const pivots = children(node, "pivots");
  const named = [...children(node, "aggregates"), ...pivots].map((n) => originsOf(n, scope, place.analysis));
  // UNPIVOT names the columns that it takes apart as values.
  const apart =
    texts(node, "unpivot_names").length === 0 ? [] : pivots.flatMap((p) => children(p, "entries"));
  const taken = apart.flatMap((entry) =>
    children(entry, "values").map((v) => resolve(scope, [text(v, "value")])),
  );
  const made = through("transformation", unite(...named, ...taken.map((origins) => origins ?? [])));
  const columns = inner.sources.flatMap((s) => s.relation.columns);
  // PIVOT groups by what it is told to, or by all that it does not use.
  const groups = texts(node, "groups").map((name) => resolve(scope, [name]) ?? []);
  const all = apart.length > 0 || groups.length > 0 ? [] : columns.map((column) => column.origins);
  const relation: Relation = {
    columns,
    others: () => made,
    rows: unite(inner.rows, through("group_by", unite(...groups, ...all))),
    tables: unite(...inner.sources.map((s) => s.relation.tables)),
  };
  return single(node, relation, []);
}
