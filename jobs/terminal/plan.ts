import type { QueryResult } from "./result.ts";
import { printableLines } from "./text.ts";

/** The plans that `EXPLAIN` gives, as DuckDB draws them; undefined for other results. */
export function planText({ columns, rows }: QueryResult): string | undefined {
  const names = columns.map(({ name }) => name).join();
  if (names !== "explain_key,explain_value") return undefined;
  // A plan shows parts of the query, which may hold what a terminal would obey.
  return rows.map((row) => printableLines(String(row[1])).trimEnd()).join("\n\n");
}
