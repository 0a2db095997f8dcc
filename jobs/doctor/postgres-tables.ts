import type pg from "pg";
import { z } from "zod";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { codeOf, IngotError } from "../../lakehouse/errors.ts";
import { asCaptured, isNotCaptured } from "../../layers/bronze/capture/capturable.ts";
import { describeTable, type TableDescription } from "../../layers/bronze/postgres/catalog.ts";
import { wantedTables } from "../../layers/bronze/source-tables.ts";
import type { PipelineDefinition, SourceTable } from "../../layers/definition/pipeline.ts";
import { groupDigits } from "../terminal/numbers.ts";
import { captures } from "./capture-source.ts";
import { attempt, type CheckResult, failed, ok, reasonOf, warning } from "./check.ts";

/** One table that one pipeline wants. */
interface Wanted {
  readonly label: string;
  /** Name of its bronze table. */
  readonly bronze: string;
  /** Its schema, its name and its quoted address at the source. */
  readonly schema: string;
  readonly name: string;
  readonly address: string;
  readonly source: SourceTable;
  readonly captured: boolean;
  /** Whether the pipeline names it, or `discover` found it. */
  readonly named: boolean;
}

/** What was found, and the tables that can be taken. */
export interface CheckedTables {
  readonly results: CheckResult[];
  readonly tables: readonly TableDescription[];
}

/** Names of the checks of the tables that a pipeline names. `several`: whether there are other pipelines. */
export function tableNames(pipeline: PipelineDefinition, several: boolean): string[] {
  return Object.entries(pipeline.source.tables).map(
    ([bronze, source]) => wantedTable(pipeline, bronze, source, several).label,
  );
}

/** Every table of a pipeline: there, readable, with a key and a cursor, or changes, that can be used. */
export async function checkTables(
  client: pg.Client,
  user: string,
  pipeline: PipelineDefinition,
  several: boolean,
): Promise<CheckedTables> {
  const results: CheckResult[] = [];
  const tables: TableDescription[] = [];
  let wanted = Object.entries(pipeline.source.tables);
  const { discover } = pipeline.source;
  if (discover !== undefined) {
    const name = `discover ${discover.join(", ")}`;
    const found = await attempt(name, "Correct `discover` in the pipeline's `source`.", async () => {
      const all = await wantedTables(client, pipeline);
      const others = all.size - wanted.length;
      wanted = [...all];
      return ok(name, `${others} ${others === 1 ? "table" : "tables"} that the pipeline does not name`);
    });
    results.push(...found);
  }
  for (const [bronze, source] of wanted) {
    const one = wantedTable(pipeline, bronze, source, several);
    const fix = "Correct the table's entry in the pipeline's `source`.";
    const take = (table: TableDescription) => tables.push(table);
    results.push(...(await attempt(one.label, fix, () => checkTable(client, user, one, take))));
  }
  return { results, tables };
}

function wantedTable(
  pipeline: PipelineDefinition,
  bronze: string,
  source: SourceTable,
  several: boolean,
): Wanted {
  const { schema = "public", table: name = bronze } = source;
  // Two pipelines may take the same table in different ways.
  const label = `table ${schema}.${name}${several ? ` (${pipeline.name})` : ""}`;
  const address = `${identifier(schema)}.${identifier(name)}`;
  return {
    label,
    bronze,
    schema,
    name,
    address,
    source,
    captured: captures(pipeline),
    named: Object.hasOwn(pipeline.source.tables, bronze),
  };
}

async function checkTable(
  client: pg.Client,
  user: string,
  wanted: Wanted,
  take: (table: TableDescription) => void,
): Promise<CheckResult> {
  const { label, bronze, address, source, captured } = wanted;
  let description: TableDescription | undefined;
  try {
    description = await describeTable(client, bronze, source);
    const table = captured ? asCaptured(description, source) : description;
    const access = accessRow.parse(
      (await client.query(ACCESS_SQL, [address, source.cursor ?? null])).rows[0],
    );
    if (access.rowSecurity) return hiddenRows(label, user, address);
    // The catalogue does not tell all: the schema may be closed, the table locked.
    await client.query(`SELECT * FROM ${address} LIMIT 0`);
    take(table);
    const computed = description.columns.length - table.columns.length;
    return captured ? capturedTable(wanted, table, computed) : queriedTable(wanted, table, access.indexed);
  } catch (error) {
    const fix = fixFor(error, user, wanted, description);
    if (!wanted.named && isNotCaptured(error)) {
      const advice = fix ?? (error instanceof IngotError ? error.next : undefined) ?? "";
      return warning(label, `left out, unless it is in bronze already: ${reasonOf(error)}`, advice);
    }
    if (fix === undefined) throw error;
    return failed(label, reasonOf(error), fix);
  }
}

function queriedTable({ label, address }: Wanted, table: TableDescription, indexed: boolean): CheckResult {
  const { cursor } = table;
  if (cursor === undefined || indexed)
    return ok(label, summary(table, cursor === undefined ? [] : [`cursor ${cursor}`]));
  return warning(
    label,
    `the cursor ${cursor} has no index: every sync reads the whole table`,
    `CREATE INDEX CONCURRENTLY ON ${address} (${identifier(cursor)});`,
  );
}

function capturedTable({ label, address }: Wanted, table: TableDescription, computed: number): CheckResult {
  const left = computed > 0 ? [`${computed} computed left out, the WAL does not have them`] : [];
  if (table.key.length > 0 || table.replicaIdentity === "f") return ok(label, summary(table, left));
  return warning(
    label,
    "without key and replica identity: only what is appended to it is captured",
    `If its rows are updated or deleted: ALTER TABLE ${address} REPLICA IDENTITY FULL;`,
  );
}

function summary({ columns, key, replicaIdentity, estimatedRows }: TableDescription, more: string[]): string {
  return [
    `${columns.length} columns`,
    key.length > 0
      ? `key ${key.join(", ")}`
      : replicaIdentity === "f"
        ? "rows told apart whole"
        : "append-only",
    ...more,
    ...(estimatedRows === undefined ? [] : [`about ${groupDigits(Math.round(estimatedRows))} rows`]),
  ].join(", ");
}

/** The exact statement for what a statement can mend; other errors know what to do next. */
function fixFor(
  error: unknown,
  user: string,
  { schema, bronze, address, source, captured }: Wanted,
  description: TableDescription | undefined,
): string | undefined {
  switch (codeOf(error)) {
    case "POSTGRES_GRANT":
      return `As its owner: GRANT SELECT ON ${address} TO ${identifier(user)};`;
    case "42501":
      return `As its owner: GRANT USAGE ON SCHEMA ${identifier(schema)} TO ${identifier(user)}; GRANT SELECT ON ${address} TO ${identifier(user)};`;
    case "POSTGRES_NO_KEY":
      return captured
        ? `ALTER TABLE ${address} ADD PRIMARY KEY (…);\nOr ALTER TABLE ${address} REPLICA IDENTITY FULL; and in the pipeline: tables: { ${bronze}: { key: "none" } }.`
        : `ALTER TABLE ${address} ADD PRIMARY KEY (…);\nOr in the pipeline: tables: { ${bronze}: { key: ["column"] } }, key: "none" if rows are only ever appended.`;
    case "POSTGRES_REPLICA_IDENTITY": {
      const hasPrimary = source.key === undefined && description?.replicaIdentity === "n";
      return hasPrimary
        ? `ALTER TABLE ${address} REPLICA IDENTITY DEFAULT;`
        : `ALTER TABLE ${address} REPLICA IDENTITY FULL;\nOr USING INDEX of a unique index of the key's columns. Or leave \`key\` out of the pipeline.`;
    }
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
