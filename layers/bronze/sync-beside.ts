/** A sync beside another process that captures the same changes: what that one takes need not be taken a second time. */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import { z } from "zod";
import { codeOf } from "../../lakehouse/errors.ts";
import { retrying } from "../../lakehouse/retry.ts";
import { isLoading } from "../definition/bronze-columns.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { replicationNames } from "../definition/replication-names.ts";
import { messagesTable } from "./capture/messages-table.ts";
import { outrun } from "./commit-outcome.ts";
import { type IngestContext, type IngestReport, sync } from "./ingest.ts";
import { connect, disconnect } from "./postgres/connect.ts";
import { readingSource } from "./postgres/read-error.ts";
import { describeSource } from "./source-tables.ts";

/** Milliseconds between looks at a slot that is in use: the first, and the longest. */
const PAUSES = [20, 500] as const;

/** Milliseconds in which another process that reads the slot has to get on, or Postgres to notice that one was killed. */
export const PATIENCE = 30_000;

export interface SyncBesideOptions {
  /** Milliseconds in which another process that reads the slot has to get on; 30,000 by default. */
  readonly patience?: number;
  /** Another way to bring bronze up to the source. */
  readonly attempt?: typeof sync;
}

/**
 * As `sync`, or as another way of it, where other processes may be at the same tables. One that overtook it is followed:
 * the work is done again on what that one made. Where another one reads the slot, it waits until everything that had
 * committed at the source before is in bronze by that one, or until the slot is free. Rejects with `SLOT_ACTIVE` where
 * the other has got no further for `patience` milliseconds, or does not take all of the tables.
 */
export async function syncBeside(
  context: IngestContext,
  pipeline: PipelineDefinition,
  { patience = PATIENCE, attempt = sync }: SyncBesideOptions = {},
): Promise<readonly IngestReport[]> {
  const work = () => retrying(() => attempt(context, pipeline), { codesOf: outrun });
  if (pipeline.source.changes !== "wal") return work();
  const task = `slot ${replicationNames(pipeline).slot}`;
  for (let waited = false; ; waited = true) {
    try {
      const reports = await work();
      if (waited) context.onProgress({ task, state: "done", note: "free again" });
      return reports;
    } catch (error) {
      if (codeOf(error) !== "SLOT_ACTIVE" || patience === 0) throw error;
      context.onProgress({ task, state: "running", note: "in use by another process: waiting for it" });
      const taken = await readingSource(() => waitForOther(context, pipeline, patience, error));
      if (taken === undefined) continue;
      context.onProgress({ task, state: "done", note: "another process has taken what there was" });
      return taken;
    }
  }
}

/** The tables once the other has taken what is there now; undefined where it has let go of the slot. */
async function waitForOther(
  context: IngestContext,
  pipeline: PipelineDefinition,
  patience: number,
  inUse: unknown,
): Promise<IngestReport[] | undefined> {
  const { slot } = replicationNames(pipeline);
  const client = await connect(context.connectionString);
  try {
    const wanted = await sourceEnd(client);
    let furthest: bigint | undefined;
    let deadline = performance.now() + patience;
    for (let pause: number = PAUSES[0]; ; pause = Math.min(2 * pause, PAUSES[1])) {
      const { active, confirmed = 0n } = await readProgress(client, slot);
      const isThere = confirmed >= wanted;
      const taken = isThere ? await takenTables(context, pipeline) : undefined;
      if (taken !== undefined) return taken;
      if (!active) return undefined;
      if (!isThere && confirmed !== furthest) deadline = performance.now() + patience;
      furthest = confirmed;
      if (performance.now() + pause > deadline) throw inUse;
      await delay(pause);
    }
  } finally {
    await disconnect(client);
  }
}

const endRow = z.object({ lsn: z.string().transform(BigInt) });

/**
 * Where the source's WAL ends, in bytes. A transaction that writes nothing but its end comes behind it: on an idle server
 * what is not flushed would not be sent, and so not be confirmed, for up to 15 seconds.
 */
async function sourceEnd(client: pg.Client): Promise<bigint> {
  const { rows } = await client.query("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::text AS lsn");
  await client.query("SELECT txid_current()");
  return endRow.parse(rows[0]).lsn;
}

const progressRow = z.object({
  active: z.boolean(),
  confirmed: z
    .string()
    .nullable()
    .transform((bytes) => (bytes === null ? undefined : BigInt(bytes))),
});

/** A slot's consumer confirms what is in bronze, all tables of it, and nothing else. */
async function readProgress(client: pg.Client, slot: string): Promise<z.output<typeof progressRow>> {
  const { rows } = await client.query(
    "SELECT active, (confirmed_flush_lsn - '0/0'::pg_lsn)::text AS confirmed FROM pg_replication_slots WHERE slot_name = $1",
    [slot],
  );
  return rows.length === 0 ? { active: false, confirmed: undefined } : progressRow.parse(rows[0]);
}

/** The tables as they are; undefined where one of them is not there: the other does not know of it, or not yet. */
async function takenTables(
  context: IngestContext,
  pipeline: PipelineDefinition,
): Promise<IngestReport[] | undefined> {
  const described = await describeSource(context, pipeline);
  const messages = messagesTable(pipeline, described);
  const reports: IngestReport[] = [];
  for (const { bronze } of messages === undefined ? described : [...described, messages]) {
    const base = await context.lake.table(`${pipeline.name}/bronze/${bronze}`).snapshot();
    if (base === undefined || isLoading(base)) return undefined;
    const nothing = { status: "unchanged", rows: 0, deleted: 0, bytes: 0 } as const;
    reports.push({ table: `bronze.${bronze}`, mode: "sync", ...nothing, version: base.version });
  }
  return reports;
}
