/** Where the value of an expression comes from. */
import { type Origins, through, unite } from "../origin.ts";
import { allOrigins, type Relation } from "./relation.ts";
import { type Ctes, emptyScope, resolve, type Scope, withAliases } from "./scope.ts";
import { below, child, children, type FunctionNames, type Node, text, texts } from "./syntax-tree.ts";

/** What every step of the analysis of one query is given. */
export interface Analysis {
  readonly functions: FunctionNames;
  /** A table of a layer, as `silver.orders`. */
  readonly table: (name: string) => Relation;
  /** A query inside the query. */
  readonly query: (node: Node, ctes: Ctes, parent: Scope | undefined) => Relation;
  /** Collects names that mean nothing, so that what is missing is seen. */
  readonly unresolved: Set<string>;
}

/** Origins of an expression's value, and of what decides it. */
export function originsOf(node: Node, scope: Scope, analysis: Analysis): Origins {
  const of = (inner: Node | undefined): Origins => (inner ? originsOf(inner, scope, analysis) : []);
  const all = (nodes: readonly Node[]): Origins => unite(...nodes.map(of));
  switch (text(node, "class")) {
    case "CONSTANT":
      return [];
    case "COLUMN_REF":
      return column(node, scope, analysis);
    case "STAR":
      return scope.star ?? unite(...scope.sources.map(({ relation }) => allOrigins(relation)));
    case "FUNCTION":
      return call(node, scope, analysis);
    case "WINDOW": {
      const how = text(node, "type") === "WINDOW_AGGREGATE" ? "aggregation" : "transformation";
      const values = ["offset_expr", "default_expr"].map((name) => of(child(node, name)));
      const frame = ["start_expr", "end_expr"].map((name) => of(child(node, name)));
      const orders = unite(all(orderExpressions(node, "orders")), all(orderExpressions(node, "arg_orders")));
      return unite(
        through(how, unite(all(children(node, "children")), ...values)),
        through("filter", of(child(node, "filter_expr"))),
        through("window", unite(all(children(node, "partitions")), orders, ...frame)),
      );
    }
    case "CASE": {
      const checks = children(node, "case_checks");
      const values = [...checks.map((check) => of(child(check, "then_expr"))), of(child(node, "else_expr"))];
      const conditions = checks.map((check) => of(child(check, "when_expr")));
      return unite(through("transformation", unite(...values)), through("conditional", unite(...conditions)));
    }
    case "SUBQUERY":
      return subquery(node, scope, analysis);
    default:
      // Operators, comparisons, casts, and whatever DuckDB learns next: made of what stands in them.
      return through("transformation", all(below(node)));
  }
}

function column(node: Node, scope: Scope, analysis: Analysis): Origins {
  const names = texts(node, "column_names");
  const found = resolve(scope, names);
  if (found === undefined) analysis.unresolved.add(names.join("."));
  return found ?? [];
}

function call(node: Node, scope: Scope, analysis: Analysis): Origins {
  const { aggregates, lambdas } = analysis.functions;
  const name = text(node, "function_name");
  const of = (inner: Node) => originsOf(inner, scope, analysis);
  const takesLambda = lambdas.has(name);
  const values = children(node, "children").map((argument) =>
    takesLambda && text(argument, "class") === "LAMBDA" ? lambda(argument, scope, analysis) : of(argument),
  );
  if (!aggregates.has(name)) return through("transformation", unite(...values));
  const filter = child(node, "filter");
  const orders = child(node, "order_bys");
  // Without an argument, as count(*), it is about rows.
  const rows = values.length === 0 ? scope.sources.map(({ relation }) => relation.tables) : [];
  return unite(
    through("aggregation", unite(...values, ...rows)),
    through("filter", filter ? of(filter) : []),
    through("sort", unite(...(orders ? orderExpressions(orders, "orders") : []).map(of))),
  );
}

/** The body of a lambda; its parameters are elements of the list that stands beside it. */
function lambda(node: Node, scope: Scope, analysis: Analysis): Origins {
  const left = child(node, "lhs");
  const body = child(node, "expr");
  if (!left || !body) return [];
  const parameters = text(left, "class") === "COLUMN_REF" ? [left] : children(left, "children");
  const names = parameters.flatMap((parameter) => texts(parameter, "column_names"));
  const inside = withAliases(
    emptyScope(scope.ctes, scope),
    names.map((name) => [name, []]),
  );
  return originsOf(body, inside, analysis);
}

function subquery(node: Node, scope: Scope, analysis: Analysis): Origins {
  const query = child(child(node, "subquery") ?? {}, "node");
  if (!query) return [];
  const relation = analysis.query(query, scope.ctes, scope);
  const compared = child(node, "child");
  // EXISTS looks at rows only, so what it selects does not matter.
  const value = text(node, "subquery_type") === "EXISTS" ? relation.tables : allOrigins(relation);
  return unite(
    through("transformation", unite(compared ? originsOf(compared, scope, analysis) : [], value)),
    through("conditional", relation.rows),
  );
}

/** The expressions of an ORDER BY. */
export const orderExpressions = (node: Node, field: string): readonly Node[] =>
  children(node, field).flatMap((order) => {
    const expression = child(order, "expression");
    return expression ? [expression] : [];
  });
