/**
 * A chunk of a bronze table: one moment of the source, the rows of the range as they were then, and those that bronze
 * has otherwise appended to it. What bronze took after the moment stays the newest.
 */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { StructField } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import type { IngestContext } from "../bronze/ingestion.ts";
import { readPosition } from "../bronze/position.ts";
import { createSlotSnapshot } from "../bronze/postgres/replication/slot-snapshot.ts";
import { type SharedSnapshot, shareSlotSnapshot, shareSnapshot } from "../bronze/postgres/snapshot.ts";
import { describeSource } from "../bronze/source-tables.ts";
import { syncBeside } from "../bronze/sync-beside.ts";
import { pairColumns } from "../bronze/verify/compared-columns.ts";
import { type Comparison, upTo } from "../bronze/verify/comparison.ts";
import { changesBetween } from "../bronze/verify/explain.ts";
import { raisedPosition, repairOnNewest, samePosition } from "../bronze/verify/repair.ts";
import { SourceReaders } from "../bronze/verify/source-readers.ts";
import { ingestionOf } from "../bronze/verify/verification-run.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import type { Interval } from "./range.ts";
import { type ReadAgain, readAgain } from "./read-again.ts";
import type { RecordingTable } from "./recording-table.ts";

export interface BronzeSubject {
  readonly context: IngestContext;
  /** The pipeline as it is, and as if it took this table only. */
  readonly pipeline: PipelineDefinition;
  readonly alone: PipelineDefinition;
  readonly target: RecordingTable;
  readonly field: StructField;
  /** Statements that read a chunk at once. */
  readonly readers: number;
}

/** What a chunk did. */
export interface BronzeChunk extends ReadAgain {
  /** Rows that were appended. */
  readonly rows: number;
  /** Rows that have changed since the moment: bronze has taken them as they are now. */
  readonly left: number;
  readonly version: number;
}

/**
 * Makes one chunk, also while others take changes of the table. Rejects with `BRONZE_RACE_LOST` where they were faster
 * again and again, and with `SLOT_ACTIVE` where one reads the slot and does not get on.
 */
export async function runBronzeChunk(subject: BronzeSubject, chunk: Interval): Promise<BronzeChunk> {
  const quiet = { ...subject, context: { ...subject.context, onProgress: ignoreProgress } };
  return quiet.pipeline.source.changes === "wal" ? captured(quiet, chunk) : queried(quiet, chunk);
}

/** Changes are captured: the moment lies at a known place among them. */
async function captured(subject: BronzeSubject, chunk: Interval): Promise<BronzeChunk> {
  const { context, pipeline, target } = subject;
  const shared = await shareSlotSnapshot(context.connectionString, await createSlotSnapshot(context));
  return atMoment(shared, async () => {
    await syncBeside(context, pipeline);
    // What others take from here on is newer than the moment.
    const base = await target.existingSnapshot();
    const before = upTo(shared.moment.lsn);
    return comparing({ ...subject, base, before }, shared, async (work) => {
      const read = await readAgain(work, subject, chunk);
      const repaired = await repairOnNewest(work, {
        lsn: shared.moment.lsn,
        moment: shared.moment,
        later: async (newest) =>
          `SELECT * FROM (${await scanSql(target.store, scannable(newest))}) WHERE NOT ${before}`,
        position: (newest) => samePosition(newest, target.now()),
      });
      return { ...read, ...repaired };
    });
  });
}

/** Changes are asked for: what a further sync finds may have been so before the moment, or after it. */
async function queried(subject: BronzeSubject, chunk: Interval): Promise<BronzeChunk> {
  const { context, alone, target } = subject;
  await syncBeside(context, alone);
  // Before the moment: what others take after it would look as if the source had lost it.
  const base = await target.existingSnapshot();
  const shared = await shareSnapshot(context.connectionString);
  return atMoment(shared, () =>
    comparing({ ...subject, base, before: undefined }, shared, async (work) => {
      const read = await readAgain(work, subject, chunk);
      if ((await countDifferences(work)) > 0) await syncBeside(context, alone);
      // Behind all that bronze has of these rows.
      const lsn = Math.max(shared.moment.lsn, readPosition(base)?.lsn ?? 0) + 1;
      const repaired = await repairOnNewest(work, {
        lsn,
        moment: shared.moment,
        later: (newest) => changesBetween(target, base, newest),
        position: (newest) => raisedPosition(newest, lsn, target.now()),
      });
      return { ...read, ...repaired };
    }),
  );
}

async function atMoment<T>(shared: SharedSnapshot, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    await shared.end();
  }
}

interface ComparedSubject extends BronzeSubject {
  /** The version of bronze that is compared. */
  readonly base: Snapshot;
  /** Condition on the changes that bronze had at the moment; undefined for all of the version. */
  readonly before: string | undefined;
}

/** Opens the comparison of the table with the moment. */
async function comparing<T>(
  { context, pipeline, alone, target, base, before, readers: concurrency }: ComparedSubject,
  shared: SharedSnapshot,
  use: (work: Comparison) => Promise<T>,
): Promise<T> {
  const [table] = await describeSource(context, alone);
  if (table === undefined) throw new RangeError("the table is not there");
  const rows = await scanSql(target.store, scannable(base));
  const readers = new SourceReaders(ingestionOf({ ...context, concurrency }, pipeline, shared));
  const session = await context.lake.duckdb.session();
  try {
    return await use({
      task: `bronze.${table.bronze}`,
      table,
      target,
      base,
      changes: before === undefined ? rows : `SELECT * FROM (${rows}) WHERE ${before}`,
      columns: pairColumns(table, base),
      session,
      readers,
      rangeRows: 0,
      onRows: () => {},
    });
  } finally {
    await readers.close();
    await session.close();
  }
}

async function countDifferences({ session }: Comparison): Promise<number> {
  const [counted] = await session.rows("SELECT count(*) AS rows FROM differences");
  return Number(counted?.rows);
}
