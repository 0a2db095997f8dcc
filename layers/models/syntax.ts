/** SQL as DuckDB's own syntax tree, and back. */
import { createHash } from "node:crypto";
import { Remembered } from "../../lakehouse/cache/remembered.ts";
import { parseLossless, stringifyLossless } from "../../lakehouse/delta/skip/lossless-json.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { syntaxTreeJson } from "../../lakehouse/duckdb/syntax-tree.ts";

/** A node of the tree: expressions have a `class`, relations and statements a `type`. */
export type SyntaxNode = Readonly<Record<string, unknown>>;

/** The value as a node; undefined where it is none. */
export function nodeOf(value: unknown): SyntaxNode | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as SyntaxNode)
    : undefined;
}

/** The nodes of a list. */
export function nodesOf(value: unknown): SyntaxNode[] {
  return Array.isArray(value) ? value.map(nodeOf).filter((node) => node !== undefined) : [];
}

/** The tree of one query; undefined where the text is none. */
export async function parseQuery(duckdb: DuckDb, sql: string): Promise<SyntaxNode | undefined> {
  const [statement] = nodesOf(nodeOf(parseLossless(await syntaxTreeJson(duckdb, sql)))?.statements);
  return nodeOf(statement?.node);
}

const TEXTS = new Remembered<string>(200);

/** The text of a query. */
export async function queryText(duckdb: DuckDb, node: SyntaxNode): Promise<string> {
  const tree = stringifyLossless({ error: false, statements: [{ node, named_param_map: [] }] });
  return TEXTS.get(createHash("sha256").update(tree).digest("hex"), async () => {
    const rows = await duckdb.rows("SELECT json_deserialize_sql($1::JSON) AS sql", [tree]);
    return String(rows[0]?.sql);
  });
}

/** The node itself and all below it. */
export function* within(value: unknown): Generator<SyntaxNode> {
  if (Array.isArray(value)) {
    for (const item of value) yield* within(item);
    return;
  }
  const node = nodeOf(value);
  if (node === undefined) return;
  yield node;
  for (const child of Object.values(node)) yield* within(child);
}

/** The tree with some nodes replaced: what `replace` gives is not looked into again. */
function mapNodes(value: unknown, replace: (node: SyntaxNode) => SyntaxNode | undefined): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => mapNodes(item, replace));
  const node = nodeOf(value);
  if (node === undefined) return value;
  const other = replace(node);
  if (other !== undefined) return other;
  return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, mapNodes(child, replace)]));
}

/** As `mapNodes`, of a node. */
export function mapNode(node: SyntaxNode, replace: (node: SyntaxNode) => SyntaxNode | undefined): SyntaxNode {
  return nodeOf(mapNodes(node, replace)) ?? node;
}

/** The names of a reference to a column, `table.column` or `column`; undefined for other nodes. */
export function columnNames(node: SyntaxNode): string[] | undefined {
  return node.class === "COLUMN_REF" && Array.isArray(node.column_names)
    ? node.column_names.map(String)
    : undefined;
}

/** Kinds of functions, and what tells them in DuckDB's list. */
const KINDS = {
  aggregate: "function_type = 'aggregate'",
  /** Give another answer tomorrow, or each time. */
  unsteady: `stability = 'CONSISTENT_WITHIN_QUERY' OR function_name IN ('localtime', 'localtimestamp', 'random',
    'uuid', 'uuidv4', 'uuidv7', 'gen_random_uuid', 'nextval')`,
} as const;
type FunctionKind = keyof typeof KINDS;

/** DuckDB's functions of these kinds by name: there are thousands, and asking takes as long as a small change. */
const known = new WeakMap<DuckDb, Promise<ReadonlyMap<string, ReadonlySet<FunctionKind>>>>();

async function listFunctions(duckdb: DuckDb): Promise<ReadonlyMap<string, ReadonlySet<FunctionKind>>> {
  const kinds = Object.keys(KINDS) as FunctionKind[];
  const columns = kinds.map((kind) => `bool_or(${KINDS[kind]}) AS ${kind}`).join(", ");
  const rows = await duckdb.rows(
    `SELECT * FROM (SELECT function_name AS name, ${columns} FROM duckdb_functions() GROUP BY 1) WHERE ${kinds.join(" OR ")}`,
  );
  return new Map(rows.map((row) => [String(row.name), new Set(kinds.filter((kind) => row[kind] === true))]));
}

/** The functions of a kind that an expression or a query calls. */
export async function functionsIn(duckdb: DuckDb, value: unknown, kind: FunctionKind): Promise<string[]> {
  const names = [...within(value)].flatMap((node) => {
    if (node.class === "FUNCTION") return String(node.function_name).toLowerCase();
    const [name = "", ...others] = columnNames(node) ?? [];
    // What SQL calls without parentheses looks like a column.
    return others.length === 0 && /^(current|local)_?(date|time|timestamp)$/i.test(name)
      ? name.toLowerCase()
      : [];
  });
  if (names.length === 0) return [];
  const listed = known.get(duckdb) ?? listFunctions(duckdb);
  known.set(duckdb, listed);
  const functions = await listed;
  const isOfKind = (name: string) => functions.get(name)?.has(kind) === true;
  return [...new Set(names)].filter((name) => isOfKind(name) || isOfKind(`get_${name}`));
}
