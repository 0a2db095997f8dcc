/** Queries as DuckDB's own parser sees them. */
import type { DuckDb } from "./duckdb.ts";

/** JSON of the syntax tree of a SELECT, or of what is wrong with the text: `{"error":true,"error_message":…}`. */
export async function syntaxTreeJson(duckdb: DuckDb, sql: string): Promise<string> {
  const rows = await duckdb.rows("SELECT json_serialize_sql($1::VARCHAR)::VARCHAR AS tree", [sql]);
  return String(rows[0]?.tree);
}
