/** Keeping bronze up with its source, whatever became of the slot or of the columns meanwhile. */

import { codeOf, messageOf } from "../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { markChecked, readDrift } from "./capture/drift-record.ts";
import { recoverSlot } from "./capture/recover.ts";
import { isSlotLost } from "./capture/run.ts";
import { type IngestContext, type IngestReport, sync } from "./ingest.ts";
import { readingSource } from "./postgres/read-error.ts";
import { syncBeside } from "./sync-beside.ts";
import { verify } from "./verify/verify.ts";

export interface KeepUpOptions {
  /**
   * Milliseconds in which another process that reads the slot has to get on: what it takes need not be taken twice. None
   * by default: then the slot has to be free.
   */
  readonly patience?: number;
}

/** As `sync`; repairs what a lost slot or a change of columns has left different from the source. */
export async function keepUp(
  context: IngestContext,
  pipeline: PipelineDefinition,
  { patience = 0 }: KeepUpOptions = {},
): Promise<IngestReport[]> {
  const captured = pipeline.source.changes === "wal";
  const reports = await syncBeside(context, pipeline, {
    patience,
    attempt: captured ? syncOrRecover : sync,
  });
  await repairUnchecked(context, pipeline, reports);
  return [...reports];
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
