/** Rows as JSON with texts for values, as the quarantine has them. */
import { literal } from "../../../lakehouse/duckdb/quote.ts";

/** SQL of a JSON object of these members: name, SQL of its value. */
export function jsonObjectSql(members: readonly (readonly [name: string, value: string])[]): string {
  return `json_object(${members.map(([name, value]) => `${literal(name)}, ${value}`).join(", ")})::VARCHAR`;
}
