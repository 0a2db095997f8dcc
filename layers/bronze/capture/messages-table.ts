/**
 * The bronze table of logical messages: what applications write into the WAL with `pg_logical_emit_message`, the
 * outbox of those that keep none in a table. It has no table at the source and nothing to load; it begins where the
 * slot does.
 */
import type pg from "pg";
import { z } from "zod";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import { replicationNames } from "../../definition/replication-names.ts";
import { versionOf } from "../commit-outcome.ts";
import type { IngestContext, Ingestion, IngestReport, TableWork } from "../ingestion.ts";
import { positionActions, SOURCE_APP } from "../position.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import { formatLsn, parseLsn } from "../postgres/lsn.ts";
import type { SourceMoment } from "../postgres/snapshot.ts";
import { mapColumn } from "../postgres/types.ts";
import { bronzeSchema } from "../schema.ts";

const column = (name: string, type: string, attnum: number) =>
  mapColumn(
    name,
    { name: type, display: type, builtIn: true, kind: "b", category: "", typmod: -1 },
    -1,
    attnum,
  );

/** In the order in which `messageTuple` has the fields. */
const COLUMNS = [
  column("prefix", "text", 1),
  column("content", "bytea", 2),
  column("transactional", "bool", 3),
];

/**
 * The table, described as one of the source would be; undefined where the pipeline wants none. Throws
 * `SOURCE_NAME_TAKEN` where one of the captured tables has its name.
 */
export function messagesTable(
  { source }: PipelineDefinition,
  captured: readonly TableDescription[],
): TableDescription | undefined {
  const name = source.changes === "wal" ? source.wal?.messages : undefined;
  if (name === undefined) return undefined;
  const rival = captured.find((table) => table.bronze === name);
  if (rival === undefined) return describe(name);
  throw new TerminalError("logical messages cannot go into the bronze table of another table", {
    code: "SOURCE_NAME_TAKEN",
    value: `${name}, which has the rows of ${rival.schema}.${rival.name}`,
    allowed: "a name that none of the captured tables has",
    next: 'Give the messages another name: wal: { messages: "…" }.',
  });
}

function describe(name: string): TableDescription {
  return {
    schema: "pg_logical_emit_message",
    name,
    bronze: name,
    oid: 0,
    kind: "r",
    columns: COLUMNS,
    key: [],
    cursor: undefined,
    cursorMayBeNull: false,
    relations: [],
    fileNodes: [],
    notInWal: [],
    hasTransactionIds: false,
    replicaIdentity: "n",
    bringsWholeRows: false,
    identityColumns: [],
    estimatedRows: undefined,
    bytes: 0,
  };
}

/** Creates the table. Everything that the slot has still to send lies behind its position. */
export async function createMessages(
  { context, pipeline, shared }: Ingestion,
  work: TableWork,
): Promise<IngestReport> {
  const { task } = work;
  const lsn = await beginOf(shared.control, replicationNames(pipeline).slot);
  const version = await commitPosition(context, work, undefined, { ...shared.moment, lsn });
  context.onProgress({ task, state: "done", rows: 0, note: `version ${version}` });
  return { table: task, mode: "load", status: "committed", rows: 0, deleted: 0, bytes: 0, version };
}

/**
 * Moves the table to the beginning of a new slot. Nothing brings back what the former one had not sent; that is said,
 * and the table's history has both positions.
 */
export async function moveMessages(
  context: IngestContext,
  pipeline: PipelineDefinition,
  table: TableDescription,
  moment: SourceMoment,
): Promise<void> {
  const work = messagesWork(pipeline, table);
  const base = await context.lake.table(work.path).existingSnapshot();
  const from = base.transactions.get(SOURCE_APP)?.version ?? 0;
  await commitPosition(context, work, base, moment);
  const gap = `between ${formatLsn(from)} and ${formatLsn(moment.lsn)}`;
  context.onProgress({ task: work.task, state: "done", note: `messages ${gap} are lost with the slot` });
}

const messagesWork = (pipeline: PipelineDefinition, table: TableDescription) => ({
  table,
  task: `bronze.${table.bronze}`,
  path: `${pipeline.name}/bronze/${table.bronze}` as const,
});

const slotRow = z.object({ begin: z.string() });

/** Where the stream of a slot that nobody reads begins. */
async function beginOf(client: pg.Client, slot: string): Promise<number> {
  const { rows } = await client.query(
    "SELECT confirmed_flush_lsn::text AS begin FROM pg_replication_slots WHERE slot_name = $1",
    [slot],
  );
  return Number(parseLsn(slotRow.parse(rows[0]).begin));
}

async function commitPosition(
  { lake }: IngestContext,
  { table, path }: Pick<TableWork, "table" | "path">,
  base: Snapshot | undefined,
  moment: SourceMoment,
): Promise<number> {
  const target = lake.table(path);
  const outcome = await target.write({
    operation: base === undefined ? "CREATE TABLE" : "WRITE",
    parameters: {
      mode: "Append",
      ingest: base === undefined ? "load" : "repair",
      lsn: formatLsn(moment.lsn),
    },
    base,
    schema: base?.schema ?? bronzeSchema(table),
    staged: { files: [], rows: 0, bytes: 0, nulls: new Map() },
    reads: "nothing",
    description: "messages of applications (pg_logical_emit_message), as they came",
    ...positionActions(moment, table, target.now(), { changes: "wal", mixed: false }),
  });
  return versionOf(outcome, {
    lost: `another run ingested ${path} at the same time`,
    next: "Nothing was taken twice. Run the same command again, one ingestion at a time.",
  });
}
