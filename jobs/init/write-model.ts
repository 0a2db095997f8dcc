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
  return [...leftLines(model), "SELECT", casts.join(",\n"), `FROM bronze.${nameText(table.name)}`, ""].join(
    "\n",
  );
}

function leftLines({ untyped, uncaptured }: PlannedModel): string[] {
  return [
    ...(untyped.length === 0
      ? []
      : commentLines(`Only in bronze, as contracts have no type for them: ${untyped.join(", ")}.`, "", "--")),
    ...(uncaptured.length === 0
      ? []
      : commentLines(`Generated at the source and not captured: ${uncaptured.join(", ")}.`, "", "--")),
  ];
}
