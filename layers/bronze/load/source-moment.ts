/** The moment of the source that a run reads. */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { TerminalError, TransientError } from "../../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import { replicationNames } from "../../definition/replication-names.ts";
import { noticeUnpublished } from "../capture/table-changes.ts";
import type { IngestContext, TableWork } from "../ingestion.ts";
import { readPosition } from "../position.ts";
import { connect, disconnect } from "../postgres/connect.ts";
import { ensurePublication } from "../postgres/replication/publication.ts";
import { readSlot, type SlotState } from "../postgres/replication/slot.ts";
import { checkSlotOwner, claimSlot } from "../postgres/replication/slot-owner.ts";
import { createSlotSnapshot } from "../postgres/replication/slot-snapshot.ts";
import { checkSelection, serverVersion } from "../postgres/replication/stream-parameters.ts";
import { type SharedSnapshot, shareSlotSnapshot, shareSnapshot } from "../postgres/snapshot.ts";

export interface OpenedMoment {
  readonly shared: SharedSnapshot;
  /** The pipeline's slot was made just now: changes before it are not to be had. */
  readonly isFirst: boolean;
}

/**
 * Opens the moment at which tables are read. Where changes are captured from the WAL it is the one at which the
 * pipeline's slot begins; once there is a slot, that of a slot which lives as long as the run. `messages`: the table of
 * logical messages, which no publication has.
 */
export async function openMoment(
  context: IngestContext,
  pipeline: PipelineDefinition,
  tables: readonly TableWork[],
  messages?: TableWork,
): Promise<OpenedMoment> {
  const { connectionString, lake } = context;
  if (pipeline.source.changes !== "wal") {
    return { shared: await shareSnapshot(connectionString), isFirst: false };
  }
  const { slot: name } = replicationNames(pipeline);
  const client = await connect(connectionString);
  let exists: boolean;
  try {
    await checkPrimary(client);
    checkSelection(await serverVersion(client), pipeline.source.wal ?? {});
    const slot = await readSlotAtRest(client, name);
    if (slot !== undefined) await checkSlotOwner(client, pipeline, lake);
    if (slot?.active) throw slotInUse(name, tables);
    const unpublished = await ensurePublication(
      client,
      pipeline,
      tables.map((work) => work.table),
    );
    for (const { table, base } of tables) {
      if (base !== undefined && unpublished.includes(table)) await noticeUnpublished(lake, pipeline, table);
    }
    if (slot === undefined || slot.lost) refuseLostSlot(name, messages ? [...tables, messages] : tables);
    if (slot?.lost) throw lostSlot(name);
    exists = slot !== undefined;
    if (!exists) await claimSlot(client, pipeline, lake);
  } finally {
    await disconnect(client);
  }
  const slot = await createSlotSnapshot(context, exists ? undefined : name);
  try {
    return { shared: await shareSlotSnapshot(connectionString, slot), isFirst: !exists };
  } catch (error) {
    await slot.end();
    throw error;
  }
}

/** Milliseconds in which the server lets go of a slot whose consumer has just left. */
const LEAVING = 1_000;

/** The slot once nobody reads it any more, or as it is when that lasts. */
async function readSlotAtRest(client: pg.Client, name: string): Promise<SlotState | undefined> {
  const deadline = performance.now() + LEAVING;
  for (;;) {
    const slot = await readSlot(client, name);
    if (!slot?.active || performance.now() > deadline) return slot;
    await delay(20);
  }
}

/** Whoever reads the slot passes over tables that it does not know: their changes after the load would be gone. */
function slotInUse(name: string, tables: readonly TableWork[]): TransientError {
  const missing = tables.filter(({ base }) => base === undefined || readPosition(base)?.load !== undefined);
  return new TransientError(`another process reads the replication slot ${name}`, {
    code: "SLOT_ACTIVE",
    value: `not loaded yet: ${missing.map(({ table }) => table.bronze).join(", ")}`,
    allowed: "tables that it takes, or a slot that nobody reads",
    next: "Start that process anew with this configuration: it loads what is missing before it goes on.",
  });
}

/** A standby publishes what its primary publishes, and can neither change that nor, before Postgres 16, decode it. */
async function checkPrimary(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ standby: boolean }>("SELECT pg_is_in_recovery() AS standby");
  if (rows[0]?.standby !== true) return;
  throw new TerminalError("changes cannot be captured from a standby", {
    code: "POSTGRES_STANDBY",
    value: "pg_is_in_recovery()",
    allowed: 'the primary; a standby can be read with `changes: "query"`',
    next: "Give DATABASE_URL the address of the primary. `limits` of the source keep the load gentle.",
  });
}

/** Without the slot, changes of tables that are in bronze are missing: to begin a new one would hide that. */
function refuseLostSlot(name: string, tables: readonly TableWork[]): void {
  const captured = tables.find(({ base }) => {
    const position = readPosition(base);
    return position?.changes === "wal" && position.load === undefined;
  });
  if (captured) throw lostSlot(name);
}

function lostSlot(name: string): TerminalError {
  return new TerminalError(`replication slot ${name} is gone, and with it changes that were not yet taken`, {
    code: "SLOT_LOST",
    value: name,
    allowed: "the slot with which the tables were loaded",
    next: "The tables have to be compared with the source and brought up to it before capture can go on.",
  });
}
