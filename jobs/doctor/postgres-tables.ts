import type pg from "pg";
import { z } from "zod";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { codeOf } from "../../lakehouse/errors.ts";
import { describeTable, type TableDescription } from "../../layers/bronze/postgres/catalog.ts";
import type { PipelineDefinition, SourceTable } from "../../layers/definition/pipeline.ts";
import { groupDigits } from "../terminal/numbers.ts";
import { attempt, type CheckResult, failed, ok, reasonOf, warning } from "./check.ts";

/** One table that one pipeline wants. */
interface Wanted {
  readonly label: string;
  readonly name: string;
  readonly schema: string;
  readonly source: SourceTable;
}

/** Names of the checks of the pipelines' tables. */
export function tableNames(pipelines: readonly PipelineDefinition[]): string[] {
  return wantedTables(pipelines).map(({ label }) => label);
}

/** Every table of every pipeline: there, readable, with a key and a cursor that can be used. */
export async function checkTables(
  client: pg.Client,
  user: string,
  pipelines: readonly PipelineDefinition[],
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const wanted of wantedTables(pipelines)) {
    const fix = "Correct the table's entry in the pipeline's `source`.";
    results.push(...(await attempt(wanted.label, fix, () => checkTable(client, user, wanted))));
  }
  return results;
}

function wantedTables(pipelines: readonly PipelineDefinition[]): Wanted[] {
  return pipelines.flatMap((pipeline) =>
    Object.entries(pipeline.source.tables).map(([name, source]) => {
      const schema = source.schema ?? "public";
      // Two pipelines may take the same table in different ways.
      const owner = pipelines.length > 1 ? ` (${pipeline.name})` : "";
      return { label: `table ${schema}.${name}${owner}`, name, schema, source };
    }),
  );
}

async function checkTable(client: pg.Client, user: string, wanted: Wanted): Promise<CheckResult> {
  const { label, name, schema, source } = wanted;
  const table = `${identifier(schema)}.${identifier(name)}`;
  try {
    const description = await describeTable(client, name, source);
    const access = accessRow.parse((await client.query(ACCESS_SQL, [table, source.cursor ?? null])).rows[0]);
    if (access.rowSecurity) return hiddenRows(label, user, table);
    // The catalogue does not tell all: the schema may be closed, the table locked.
    await client.query(`SELECT * FROM ${table} LIMIT 0`);
    if (description.cursor === undefined || access.indexed) return ok(label, summary(description));
    return warning(
      label,
      `the cursor ${description.cursor} has no index: every sync reads the whole table`,
      `CREATE INDEX CONCURRENTLY ON ${table} (${identifier(description.cursor)});`,
    );
  } catch (error) {
    const fix = fixFor(error, user, wanted, table);
    if (fix === undefined) throw error;
    return failed(label, reasonOf(error), fix);
  }
}

function summary({ columns, key, cursor, estimatedRows }: TableDescription): string {
  return [
    `${columns.length} columns`,
    key.length > 0 ? `key ${key.join(", ")}` : "append-only",
    ...(cursor === undefined ? [] : [`cursor ${cursor}`]),
    ...(estimatedRows === undefined ? [] : [`about ${groupDigits(Math.round(estimatedRows))} rows`]),
  ].join(", ");
}

/** The exact statement for what a statement can mend; other errors know what to do next. */
function fixFor(error: unknown, user: string, { name, schema }: Wanted, table: string): string | undefined {
  switch (codeOf(error)) {
    case "POSTGRES_GRANT":
      return `As its owner: GRANT SELECT ON ${table} TO ${identifier(user)};`;
    case "42501":
      return `As its owner: GRANT USAGE ON SCHEMA ${identifier(schema)} TO ${identifier(user)}; GRANT SELECT ON ${table} TO ${identifier(user)};`;
    case "POSTGRES_NO_KEY":
      return `ALTER TABLE ${table} ADD PRIMARY KEY (…);\nOr in the pipeline: tables: { ${name}: { key: ["column"] } }, key: "none" if rows are only ever appended.`;
    case "55P03":
      return "Another session holds its lock: SELECT pid, query FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) = 0 AND state <> 'idle';";
    default:
      return undefined;
  }
}

const accessRow = z.object({ rowSecurity: z.boolean(), indexed: z.boolean() });

const ACCESS_SQL = `
  SELECT row_security_active($1::regclass) AS "rowSecurity",
         EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                  WHERE i.indrelid = $1::regclass AND i.indisvalid AND i.indpred IS NULL AND a.attname = $2) AS indexed`;

/** Rows that a policy hides would be missing in bronze. A policy that shows all of them would not help: it is one. */
function hiddenRows(label: string, user: string, table: string): CheckResult {
  return failed(
    label,
    `row level security may hide rows from ${user}`,
    `As a superuser: ALTER ROLE ${identifier(user)} BYPASSRLS;\nOr as its owner: ALTER TABLE ${table} DISABLE ROW LEVEL SECURITY;`,
  );
}
