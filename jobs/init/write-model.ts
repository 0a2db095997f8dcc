/** The SQL of a silver model: every column with its type. */
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import type { PlannedModel, PlannedTable } from "./plan-table.ts";
import { commentLines } from "./typescript.ts";

/** Words that DuckDB does not take as a name unless they are quoted. */
export async function reservedWords(duckdb: DuckDb): Promise<ReadonlySet<string>> {
  const rows = await duckdb.rows(
    "SELECT keyword_name AS word FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'",
  );
  return new Set(rows.map(({ word }) => String(word)));
}

export function writeModel(table: PlannedTable, model: PlannedModel, reserved: ReadonlySet<string>): string {
  const nameText = (name: string) =>
    /^[a-z_][a-z0-9_]*$/.test(name) && !reserved.has(name) ? name : identifier(name);
  const casts = model.columns.map(
    ({ name, sql }) => `  CAST(${nameText(name)} AS ${sql}) AS ${nameText(name)}`,
  );
  const left = model.left.length === 0 ? [] : commentLines(leftText(model.left), "", "--");
  return [...left, "SELECT", casts.join(",\n"), `FROM bronze.${nameText(table.name)}`, ""].join("\n");
}

const leftText = (left: readonly string[]) =>
  `Left out, as contracts have no type for them; bronze has them: ${left.join(", ")}.`;
