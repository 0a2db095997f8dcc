/** Backfill of a model: a range of its table made again, chunk by chunk, beside whatever else runs. */
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import type { ProgressListener } from "../../lakehouse/progress.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { commitActions, raceLost } from "../models/commit-model.ts";
import { compactSmallFiles } from "../models/compact.ts";
import { replaceByKey } from "../models/replace-by-key.ts";
import type { ModelResult } from "../models/run.ts";
import { makeChunk } from "./chunk.ts";
import { KEYS, RESULT } from "./chunk-relations.ts";
import { type ChunkLimits, type ChunkSum, eachChunk, type MadeChunk } from "./each-chunk.ts";
import { takenBy } from "./pinned-inputs.ts";
import { type BackfillPlan, planBackfill } from "./plan.ts";
import { progressAction, readProgress } from "./progress-record.ts";
import type { Interval } from "./range.ts";
import { type BackfillRequest, type Moment, momentOf, openSubject, type Subject } from "./subject.ts";

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
    return { plan, run: () => runChunks(context, subject, plan, request) };
  } finally {
    await session.close();
  }
}

async function runChunks(
  { onProgress }: BackfillContext,
  subject: Subject,
  { chunks }: BackfillPlan,
  limits: ChunkLimits,
): Promise<BackfillReport> {
  const { model, range, target } = subject;
  /** Versions of the table that this run has made. */
  const own = new Set<number>();
  const sum = await eachChunk(
    { task: `backfill ${model.name}`, chunks, onProgress, ...limits },
    (chunk) => prepareChunk(subject, chunk, own),
    async ({ rowsIn, rowsOut }) => {
      // The rows are there; files that could not be joined now are joined another time.
      target.carry([]);
      await compactSmallFiles(target, await target.existingSnapshot()).catch(() => {});
      return `${rowsOut} of ${rowsIn} rows written`;
    },
  );
  return { model: model.name, ...range, chunks: chunks.length, ...sum };
}

/**
 * Makes the rows of one chunk. Its commit rejects with `MODEL_RACE_LOST` where the model was built meanwhile; other chunks
 * of this run, whose versions are in `own`, may come before it: rows that are in two chunks are the same in both.
 */
async function prepareChunk(
  subject: Subject,
  chunk: Interval,
  own: Set<number>,
): Promise<MadeChunk<ModelResult>> {
  const session = await subject.target.duckdb.session();
  try {
    const { base, run } = await momentOf(subject, session);
    const beforeCommit = await makeChunk(run, base, subject.field, chunk);
    return {
      commit: async () => {
        const moment = await momentOf(subject, session);
        for (let version = base.version + 1; version <= moment.base.version; version++)
          if (!own.has(version)) throw raceLost(subject.model, `version ${version}`);
        const result = await commitChunk(subject, chunk, moment, beforeCommit);
        own.add(result.version);
        return result;
      },
      close: () => session.close(),
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** Commits what was made of one chunk. */
async function commitChunk(
  subject: Subject,
  chunk: Interval,
  { base, pinned, run }: Moment,
  beforeCommit: (() => Promise<void>) | undefined,
): Promise<ModelResult> {
  const { model, field, range, target } = subject;
  const [counted] = await run.session.rows(`SELECT count(*) AS rows FROM ${RESULT}`);
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
  return isRecorded(subject, base, chunk) ? result : { ...result, version: await recordOnly(subject, base) };
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
