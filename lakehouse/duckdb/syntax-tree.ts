/** Queries as DuckDB's own parser sees them. */
import type { DuckDb } from "./duckdb.ts";

/** Trees that were made, by text: those of a pipeline's queries are asked for by each of its runs. */
const KEPT = new WeakMap<DuckDb, Map<string, Promise<string>>>();
const MOST_KEPT = 200;
/** Letters of a text beyond which its tree, some twenty times as long, is not kept. */
const LONGEST_KEPT = 10_000;

/** JSON of the syntax tree of a SELECT, or of what is wrong with the text: `{"error":true,"error_message":…}`. */
export function syntaxTreeJson(duckdb: DuckDb, sql: string): Promise<string> {
  if (sql.length > LONGEST_KEPT) return parsed(duckdb, sql);
  const kept = KEPT.get(duckdb) ?? new Map<string, Promise<string>>();
  KEPT.set(duckdb, kept);
  const known = kept.get(sql);
  if (known !== undefined) return known;
  // Texts that are made of values come once each, and would fill the place of the others.
  if (kept.size >= MOST_KEPT) kept.clear();
  const made = parsed(duckdb, sql);
  kept.set(sql, made);
  made.catch(() => kept.delete(sql));
  return made;
}

async function parsed(duckdb: DuckDb, sql: string): Promise<string> {
  const rows = await duckdb.rows("SELECT json_serialize_sql($1::VARCHAR)::VARCHAR AS tree", [sql]);
  return String(rows[0]?.tree);
}
