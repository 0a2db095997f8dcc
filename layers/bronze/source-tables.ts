/** The tables of a pipeline as they are at the source: those that it names, and those of schemas that it takes whole. */
import type pg from "pg";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { PipelineDefinition, SourceTable } from "../definition/pipeline.ts";
import { asCaptured } from "./capture/capturable.ts";
import { passingOver } from "./capture/table-changes.ts";
import type { IngestContext } from "./ingestion.ts";
import { describeSchema, describeTable, type TableDescription } from "./postgres/catalog.ts";
import { connect, disconnect } from "./postgres/connect.ts";
import { checkIdSequence } from "./query/id-cursor.ts";

/**
 * Describes every table of the pipeline; throws for the first that cannot be taken. `passesOver` is asked about it, by
 * the name of its bronze table, and answers whether the others may be taken without it.
 */
export async function describeAll(
  connectionString: string,
  pipeline: PipelineDefinition,
  passesOver: (bronze: string, error: unknown) => Promise<boolean> = () => Promise.resolve(false),
): Promise<TableDescription[]> {
  const client = await connect(connectionString);
  try {
    const tables: TableDescription[] = [];
    for (const [bronze, wanted] of await wantedTables(client, pipeline)) {
      try {
        const table = await describeTable(client, bronze, wanted);
        const isCaptured = pipeline.source.changes === "wal";
        if (!isCaptured) await checkIdSequence(client, table);
        tables.push(isCaptured ? asCaptured(table, wanted) : table);
      } catch (error) {
        if (!(await passesOver(bronze, error))) throw error;
      }
    }
    return tables;
  } finally {
    await disconnect(client);
  }
}

/** As `describeAll`, without tables that are gone at the source, and without found ones that cannot be captured. */
export function describeSource(
  context: IngestContext,
  pipeline: PipelineDefinition,
): Promise<TableDescription[]> {
  return describeAll(context.connectionString, pipeline, passingOver(context, pipeline));
}

/** Tables by the name of their bronze table, with what the pipeline says of them. */
export async function wantedTables(
  client: pg.Client,
  { source }: PipelineDefinition,
): Promise<ReadonlyMap<string, SourceTable>> {
  const wanted = new Map(Object.entries(source.tables));
  const named = new Set([...wanted].map(([bronze, table]) => addressOf(table, bronze)));
  for (const schema of source.discover ?? []) {
    for (const table of await describeSchema(client, schema)) {
      if (named.has(addressOf({ schema, table }, table))) continue;
      const bronze = freeName(wanted, schema, table);
      const key = (await hasKey(client, schema, table)) ? {} : { key: "none" as const };
      wanted.set(bronze, { schema, table, ...key });
    }
  }
  return wanted;
}

const addressOf = ({ schema = "public", table }: SourceTable, bronze: string) =>
  JSON.stringify([schema, table ?? bronze]);

/** The table's own name, or one with its schema where another table has that. */
function freeName(taken: ReadonlyMap<string, SourceTable>, schema: string, table: string): string {
  const plain = table.replace(/[/\\]/g, "_");
  const name = [plain, `${schema}_${plain}`].find((candidate) => !taken.has(candidate));
  if (name !== undefined && !/^\.{0,2}$/.test(name)) return name;
  throw new TerminalError(`there is no name left for the bronze table of ${schema}.${table}`, {
    code: "SOURCE_NAME_TAKEN",
    value: table,
    next: "Name it in the pipeline: tables: { other_name: { schema: …, table: … } }.",
  });
}

async function hasKey(client: pg.Client, schema: string, table: string): Promise<boolean> {
  const { rows } = await client.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = $1 AND c.relname = $2 AND (i.indisprimary OR (c.relreplident = 'i' AND i.indisreplident))) AS found`,
    [schema, table],
  );
  return rows[0]?.found === true;
}
