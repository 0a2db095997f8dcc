/**
 * A new beginning after the slot was lost, invalidated or given up, or the source failed over: what it would have
 * brought is found by comparing the tables with the source. Changes of that time are taken as what came of them.
 */
import type pg from "pg";
import { TransientError } from "../../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import { provisionalSlot, replicationNames } from "../../definition/replication-names.ts";
import type { IngestContext } from "../ingestion.ts";
import { readPosition, SOURCE_APP } from "../position.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import { connect, disconnect } from "../postgres/connect.ts";
import { formatLsn } from "../postgres/lsn.ts";
import { ensurePublication } from "../postgres/replication/publication.ts";
import { dropSlot } from "../postgres/replication/slot.ts";
import { claimSlot } from "../postgres/replication/slot-owner.ts";
import { createSlotSnapshot } from "../postgres/replication/slot-snapshot.ts";
import { shareSlotSnapshot } from "../postgres/snapshot.ts";
import { describeSource } from "../source-tables.ts";
import { repairTables } from "../verify/repair-tables.ts";
import { messagesTable, moveMessages } from "./messages-table.ts";

/** Makes a new slot for the pipeline and the tables that are in bronze what the source is where it begins. */
export async function recoverSlot(
  context: IngestContext,
  pipeline: PipelineDefinition,
  why: string,
): Promise<void> {
  const { connectionString, onProgress } = context;
  const { slot } = replicationNames(pipeline);
  const task = `slot ${slot}`;
  onProgress({ task, state: "running", note: `${why}: comparing the tables with the source` });
  const all = await describeSource(context, pipeline);
  const client = await connect(connectionString);
  try {
    await ensurePublication(client, pipeline, all);
    await dropSlot(client, slot);
    await dropSlot(client, provisionalSlot(slot));
    await claimSlot(client, pipeline, context.lake);
    const tables = await capturedSoFar(context, pipeline, all);
    const messages = await capturedSoFar(context, pipeline, [messagesTable(pipeline, all) ?? []].flat());
    const shared = await shareSlotSnapshot(
      connectionString,
      await createSlotSnapshot(context, provisionalSlot(slot)),
    );
    try {
      await checkAhead(context, pipeline, [...tables, ...messages], shared.moment.lsn);
      await repairTables(context, pipeline, shared, { tables, movePosition: true });
      for (const table of messages) await moveMessages(context, pipeline, table, shared.moment);
    } finally {
      await shared.end();
    }
    await adoptSlot(client, provisionalSlot(slot), slot);
  } finally {
    await disconnect(client);
  }
  onProgress({ task, state: "done", note: "made anew" });
}

async function capturedSoFar(
  { lake }: IngestContext,
  pipeline: PipelineDefinition,
  all: readonly TableDescription[],
): Promise<TableDescription[]> {
  const captured: TableDescription[] = [];
  for (const table of all) {
    const base = await lake.table(`${pipeline.name}/bronze/${table.bronze}`).snapshot();
    const position = readPosition(base);
    // What a killed load has not read is missing, as other rows are: it is found and read with them.
    if (position !== undefined) captured.push(table);
  }
  return captured;
}

/**
 * A standby that was promoted may lack the end of what its primary wrote. Changes of that end are in bronze, and what
 * is read now must come behind them.
 */
async function checkAhead(
  { lake }: IngestContext,
  pipeline: PipelineDefinition,
  tables: readonly TableDescription[],
  lsn: number,
): Promise<void> {
  for (const { bronze } of tables) {
    const base = await lake.table(`${pipeline.name}/bronze/${bronze}`).existingSnapshot();
    const taken = base.transactions.get(SOURCE_APP)?.version ?? 0;
    if (taken <= lsn) continue;
    throw new TransientError("the source's WAL lies behind what was taken from it before", {
      code: "SOURCE_BEHIND",
      value: `${formatLsn(lsn)}, taken up to ${formatLsn(taken)}`,
      allowed: `a source that has written beyond ${formatLsn(taken)}`,
      next: "Run `ingot sync` again when it has; what the former primary alone had is then taken back.",
    });
  }
}

/** Gives a slot its final name; a copy begins where the original does. */
async function adoptSlot(client: pg.Client, from: string, to: string): Promise<void> {
  await client.query("SELECT pg_copy_logical_replication_slot($1, $2)", [from, to]);
  await dropSlot(client, from);
}
