/** Which tables a model reads. DuckDB's own parser says so; no second grammar is kept. */
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { syntaxTreeJson } from "../../lakehouse/duckdb/syntax-tree.ts";
import { TerminalError } from "../../lakehouse/errors.ts";

const LAYERS = new Set(["bronze", "silver", "gold"]);

/** `layer.table` for every table of a layer that the query names, in order of first appearance. */
export async function findReferences(duckdb: DuckDb, sql: string, file: string): Promise<string[]> {
  const tree: unknown = JSON.parse(await syntaxTreeJson(duckdb, sql));
  const failure = parserError(tree);
  if (failure !== undefined) {
    throw new TerminalError(`${file} is not a query that DuckDB understands: ${failure}`, {
      code: "MODEL_SQL",
      value: file,
      allowed: "one SELECT statement",
      next: "Correct the SQL; `ingot sql` is a quick place to try it.",
    });
  }
  const found = new Set<string>();
  collect(tree, found);
  return [...found];
}

function collect(node: unknown, found: Set<string>): void {
  if (Array.isArray(node)) {
    for (const item of node) collect(item, found);
  } else if (typeof node === "object" && node !== null) {
    const table = node as Record<string, unknown>;
    if (table.type === "BASE_TABLE" && LAYERS.has(String(table.schema_name))) {
      found.add(`${String(table.schema_name)}.${String(table.table_name)}`);
    }
    for (const value of Object.values(node)) collect(value, found);
  }
}

/** The parser's complaint with its line, where the text is no query. */
function parserError(tree: unknown): string | undefined {
  if (typeof tree !== "object" || tree === null || !("error" in tree) || tree.error !== true)
    return undefined;
  const message = "error_message" in tree ? String(tree.error_message) : "unknown error";
  return message.split("\n")[0];
}
