/** The syntax tree of a SQL condition, by DuckDB's own parser; no second grammar is kept. */
import { z } from "zod";
import type { DuckDb } from "../../duckdb/duckdb.ts";
import { syntaxTreeJson } from "../../duckdb/syntax-tree.ts";
import { TerminalError } from "../../errors.ts";
import { parseLossless } from "./lossless-json.ts";

/** A node of DuckDB's tree; its other keys depend on `class` and `type`. */
export type SqlNode = Readonly<Record<string, unknown>> & { readonly class: string; readonly type: string };

const treeSchema = z.union([
  z.object({ error: z.literal(true), error_message: z.string() }),
  z.object({
    error: z.literal(false),
    statements: z.array(z.object({ node: z.looseObject({ where_clause: z.unknown() }) })),
  }),
]);

/** The value as a node of the tree; undefined where it is none. */
export function asNode(value: unknown): SqlNode | undefined {
  if (typeof value !== "object" || value === null || !("class" in value) || !("type" in value))
    return undefined;
  return typeof value.class === "string" && typeof value.type === "string" ? (value as SqlNode) : undefined;
}

/** The nodes among `children`. */
export function childrenOf(node: SqlNode): readonly SqlNode[] {
  if (!Array.isArray(node.children)) return [];
  return node.children.flatMap((child: unknown) => asNode(child) ?? []);
}

/**
 * The tree of one boolean expression in DuckDB's dialect.
 *
 * @throws TerminalError DELTA_BAD_PREDICATE where the text is no single expression: it does not parse, has more
 * than one statement, other clauses, or parentheses that close what they did not open.
 */
export async function parseCondition(duckdb: DuckDb, sql: string): Promise<SqlNode> {
  // What parses both bare and in parentheses cannot leave those it is put in: the bare text would not parse.
  const bare = await parseStatement(duckdb, `SELECT 1 WHERE ${sql}\n`, sql);
  const enclosed = await parseStatement(duckdb, `SELECT 1 WHERE (\n${sql}\n)`, sql);
  const condition = asNode(enclosed.where_clause);
  if (condition === undefined || shape(bare) !== shape(enclosed))
    throw badPredicate(sql, "it is no expression");
  return condition;
}

async function parseStatement(duckdb: DuckDb, statement: string, sql: string) {
  const tree = treeSchema.parse(parseLossless(await syntaxTreeJson(duckdb, statement)));
  if (tree.error) throw badPredicate(sql, tree.error_message.split("\n")[0] ?? "");
  const [first, ...others] = tree.statements;
  if (first === undefined || others.length > 0) throw badPredicate(sql, "it is more than one statement");
  return first.node;
}

/** The statement without the places where its parts stand. */
function shape(node: unknown): string {
  return JSON.stringify(node, (key, value: unknown) => (key === "query_location" ? undefined : value));
}

function badPredicate(sql: string, reason: string): TerminalError {
  return new TerminalError(`the condition cannot be understood: ${reason}`, {
    code: "DELTA_BAD_PREDICATE",
    value: sql.slice(0, 500),
    allowed: "one boolean expression in DuckDB's SQL, without a semicolon",
    next: "Correct the condition; `ingot sql` is a quick place to try it.",
  });
}
