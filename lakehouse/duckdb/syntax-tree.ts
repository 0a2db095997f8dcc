/** Queries as DuckDB's own parser sees them. */
import { Remembered } from "../cache/remembered.ts";
import type { DuckDb } from "./duckdb.ts";

const TREES = new Remembered<string>(200);

/** JSON of the syntax tree of a SELECT, or of what is wrong with the text: `{"error":true,"error_message":…}`. */
export function syntaxTreeJson(duckdb: DuckDb, sql: string): Promise<string> {
  return TREES.get(sql, async () => {
    const rows = await duckdb.rows("SELECT json_serialize_sql($1::VARCHAR)::VARCHAR AS tree", [sql]);
    return String(rows[0]?.tree);
  });
}
