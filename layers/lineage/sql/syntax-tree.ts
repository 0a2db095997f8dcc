/** A query as DuckDB's parser sees it. */
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { syntaxTreeJson } from "../../../lakehouse/duckdb/syntax-tree.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";

/** A node of the tree: an object of DuckDB's JSON. Its fields are read by the functions below. */
export type Node = Readonly<Record<string, unknown>>;

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A field that holds a node; undefined where it is absent or null. */
export function child(node: Node, name: string): Node | undefined {
  const value = node[name];
  return isNode(value) ? value : undefined;
}

/** The nodes of a field that holds a list. */
export function children(node: Node, name: string): readonly Node[] {
  const value = node[name];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** A field that holds text; empty where it does not. */
export function text(node: Node, name: string): string {
  const value = node[name];
  return typeof value === "string" ? value : "";
}

/** The texts of a field that holds a list. */
export function texts(node: Node, name: string): readonly string[] {
  const value = node[name];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** Every node directly below, whatever the field is called. */
export const below = (node: Node): readonly Node[] =>
  Object.values(node).flatMap((value) =>
    Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [],
  );

/** Parses one SELECT. Throws `LINEAGE_SQL` where the text is none. */
export async function parseQuery(duckdb: DuckDb, sql: string, file: string): Promise<Node> {
  const tree: unknown = JSON.parse(await syntaxTreeJson(duckdb, sql));
  const statement = isNode(tree) ? children(tree, "statements")[0] : undefined;
  const query = statement && child(statement, "node");
  if (query) return query;
  throw new TerminalError(`${file} is not a query that DuckDB understands`, {
    code: "LINEAGE_SQL",
    value: isNode(tree) ? text(tree, "error_message").split("\n")[0] : undefined,
    allowed: "one SELECT statement",
    next: "Correct the SQL; `ingot sql` is a quick place to try it.",
  });
}

/** What DuckDB knows of its functions that the text of a query does not say. */
export interface FunctionNames {
  readonly aggregates: ReadonlySet<string>;
  /** Functions that take a lambda; in all others `->` reads a field of JSON. */
  readonly lambdas: ReadonlySet<string>;
}

export async function readFunctionNames(duckdb: DuckDb): Promise<FunctionNames> {
  const rows = await duckdb.rows(
    `SELECT DISTINCT function_name AS name, function_type = 'aggregate' AS aggregate
     FROM duckdb_functions()
     WHERE function_type = 'aggregate' OR list_contains(parameter_types, 'LAMBDA')`,
  );
  const named = (aggregate: boolean) =>
    new Set(rows.filter((row) => row.aggregate === aggregate).map((row) => String(row.name)));
  return { aggregates: named(true), lambdas: named(false) };
}
