/** Backfill of a model: a range of its table made again, chunk by chunk, beside whatever else runs. */
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import type { ProgressListener } from "../../lakehouse/progress.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { commitActions, raceLost } from "../models/commit-model.ts";
import { compactSmallFiles } from "../models/compact.ts";
import { replaceByKey } from "../models/replace-by-key.ts";
import { makeChunk } from "./chunk.ts";
import { KEYS, RESULT } from "./chunk-relations.ts";
import { type ChunkSum, eachChunk } from "./each-chunk.ts";
import { takenBy } from "./pinned-inputs.ts";
import { type BackfillPlan, planBackfill } from "./plan.ts";
import { progressAction, readProgress } from "./progress-record.ts";
import type { Interval } from "./range.ts";
import { type BackfillRequest, momentOf, openSubject, type Subject } from "./subject.ts";

export interface BackfillContext {
  readonly lake: Lake;
  readonly onProgress: ProgressListener;
}

/** `rowsIn`: rows that the SQL gave. `rowsOut`: those that were not as they are to be, and were written. */
export interface BackfillReport extends Interval, Readonly<ChunkSum> {
  readonly model: string;
  /** Chunks that this run made. */
  readonly chunks: number;
}

/** A backfill that is planned: its plan, and what carries it out. */
export interface PlannedBackfill {
  readonly plan: BackfillPlan;
  readonly run: () => Promise<BackfillReport>;
}

/** Plans a backfill; nothing is written before `run`. */
export async function prepareBackfill(
  context: BackfillContext,
  pipeline: PipelineDefinition,
  request: BackfillRequest,
): Promise<PlannedBackfill> {
  const subject = await openSubject(context.lake, pipeline, request);
  const session = await context.lake.duckdb.session();
  try {
    const plan = await planBackfill(subject, request, session);
    return { plan, run: () => runChunks(context, subject, plan) };
  } finally {
    await session.close();
  }
}

async function runChunks(
  { onProgress }: BackfillContext,
  subject: Subject,
  { chunks, rows }: BackfillPlan,
): Promise<BackfillReport> {
  const { model, range, target } = subject;
  const sum = await eachChunk(
    { task: `backfill ${model.name}`, chunks, rows, onProgress },
    (chunk) => runChunk(subject, chunk),
    async ({ rowsIn, rowsOut }) => {
      // The rows are there; files that could not be joined now are joined another time.
      target.carry([]);
      await compactSmallFiles(target, await target.existingSnapshot()).catch(() => {});
      return `${rowsOut} of ${rowsIn} rows written`;
    },
  );
  return { model: model.name, ...range, chunks: chunks.length, ...sum };
}

/** Makes one chunk and commits it. Rejects with `MODEL_RACE_LOST` where the model was built meanwhile. */
async function runChunk(subject: Subject, chunk: Interval) {
  const { model, field, range, target } = subject;
  const session = await target.duckdb.session();
  try {
    const { base, pinned, run } = await momentOf(subject, session);
    const beforeCommit = await makeChunk(run, base, field, chunk);
    const [counted] = await session.rows(`SELECT count(*) AS rows FROM ${RESULT}`);
    const rowsIn = Number(counted?.rows);
    target.carry([progressAction({ column: field.name, ...range }, chunk.to, model.fingerprint)]);
    // The table goes on to say that it was made from what it was made from.
    const consumed = new Map([...pinned.recorded].map(([name, { version }]) => [name, version]));
    const recording = { ...run, inputs: pinned.recorded, consumed };
    const audited = beforeCommit === undefined ? recording : { ...recording, beforeCommit };
    const result = await replaceByKey(audited, base, { keys: KEYS, rows: RESULT, rowsIn });
    if (result.version > base.version) return result;
    if (takenBy(model, base).fingerprint !== model.fingerprint)
      return { ...result, version: await commitActions(recording, "WRITE", [], {}, []) };
    return isRecorded(subject, base, chunk)
      ? result
      : { ...result, version: await recordOnly(subject, base) };
  } finally {
    await session.close();
  }
}

/** Whether nothing has to be written down of a chunk of which no row differs. */
function isRecorded({ field, range }: Subject, base: Snapshot, { to }: Interval): boolean {
  return to === range.to && readProgress(base, { column: field.name, ...range }) === undefined;
}

/** Records a chunk of which no row differs: the table was held against its audits as it is. */
async function recordOnly({ model, target }: Subject, base: Snapshot): Promise<number> {
  const operationParameters = { model: model.name };
  const outcome = await target.commit({
    base,
    operation: "WRITE",
    operationParameters,
    actions: [],
    reads: "table",
  });
  if (outcome.status === "committed") return outcome.version;
  throw raceLost(model, outcome.reason);
}
