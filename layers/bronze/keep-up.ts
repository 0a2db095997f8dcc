/** Keeping bronze up with its source, whatever became of the slot or of the columns meanwhile. */

import { setTimeout as delay } from "node:timers/promises";
import { codeOf, messageOf } from "../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { replicationNames } from "../definition/replication-names.ts";
import { markChecked, readDrift } from "./capture/drift-record.ts";
import { recoverSlot } from "./capture/recover.ts";
import { isSlotLost } from "./capture/run.ts";
import { type IngestContext, type IngestReport, sync } from "./ingest.ts";
import { readingSource } from "./postgres/read-error.ts";
import { verify } from "./verify/verify.ts";

/** Milliseconds between looks at a slot that is in use: the first, and the longest. */
const PAUSES = [50, 2_000] as const;

export interface KeepUpOptions {
  /** Milliseconds to wait for a slot that another consumer reads; none by default. */
  readonly patience?: number;
}

/** As `sync`; repairs what a lost slot or a change of columns has left different from the source. */
export async function keepUp(
  context: IngestContext,
  pipeline: PipelineDefinition,
  { patience = 0 }: KeepUpOptions = {},
): Promise<IngestReport[]> {
  const captured = pipeline.source.changes === "wal";
  const reports = captured
    ? await whenSlotIsFree(context, pipeline, patience)
    : await sync(context, pipeline);
  await repairUnchecked(context, pipeline, reports);
  return reports;
}

/** A consumer that was killed holds the slot until Postgres notices; one that is at work will end. */
async function whenSlotIsFree(
  context: IngestContext,
  pipeline: PipelineDefinition,
  patience: number,
): Promise<IngestReport[]> {
  const task = `slot ${replicationNames(pipeline).slot}`;
  const deadline = performance.now() + patience;
  const [first, longest] = PAUSES;
  for (let pause: number = first; ; pause = Math.min(2 * pause, longest)) {
    try {
      const reports = await syncOrRecover(context, pipeline);
      if (pause > first) context.onProgress({ task, state: "done", note: "free again" });
      return reports;
    } catch (error) {
      if (codeOf(error) !== "SLOT_ACTIVE" || performance.now() + pause > deadline) throw error;
      context.onProgress({ task, state: "running", note: "in use by another consumer: waiting for its end" });
      await delay(pause);
    }
  }
}

async function syncOrRecover(context: IngestContext, pipeline: PipelineDefinition): Promise<IngestReport[]> {
  try {
    return await sync(context, pipeline);
  } catch (error) {
    if (codeOf(error) === "CAPTURE_UNKNOWN_ROW") {
      await verify(context, pipeline, { repair: true });
      return sync(context, pipeline);
    }
    if (!isSlotLost(error)) throw error;
    await readingSource(() => recoverSlot(context, pipeline, messageOf(error)));
    return sync(context, pipeline);
  }
}

/**
 * Postgres rewrites rows without a word in the WAL when a column gets another type, and without touching them fills
 * them where one comes with a default: those tables are compared, and what differs is read.
 */
async function repairUnchecked(
  context: IngestContext,
  pipeline: PipelineDefinition,
  reports: readonly IngestReport[],
): Promise<void> {
  const unchecked: string[] = [];
  for (const bronze of new Set(reports.map(({ table }) => table.slice("bronze.".length)))) {
    const snapshot = await context.lake.table(`${pipeline.name}/bronze/${bronze}`).snapshot();
    if (snapshot !== undefined && readDrift(snapshot)?.unchecked) unchecked.push(bronze);
  }
  if (unchecked.length === 0) return;
  await verify(context, pipeline, { tables: unchecked, repair: true });
  for (const bronze of unchecked) await markChecked(context.lake.table(`${pipeline.name}/bronze/${bronze}`));
}
