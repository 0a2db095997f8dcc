/**
 * A chunk of a bronze table: one moment of the source, the rows of the range as they were then, and those that bronze
 * has otherwise appended to it. What bronze took after the moment stays the newest.
 */
import { addedFiles } from "../../lakehouse/delta/changes.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { StructField } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { sync } from "../bronze/ingest.ts";
import type { IngestContext } from "../bronze/ingestion.ts";
import { readPosition } from "../bronze/position.ts";
import type { TableDescription } from "../bronze/postgres/catalog.ts";
import { createSlotSnapshot } from "../bronze/postgres/replication/slot-snapshot.ts";
import { type SharedSnapshot, shareSlotSnapshot, shareSnapshot } from "../bronze/postgres/snapshot.ts";
import { pairColumns } from "../bronze/verify/compared-columns.ts";
import { type Comparison, upTo } from "../bronze/verify/comparison.ts";
import { dropChanged } from "../bronze/verify/explain.ts";
import { type Repair, raisedPosition, repairTable, samePosition } from "../bronze/verify/repair.ts";
import { SourceReaders } from "../bronze/verify/source-readers.ts";
import { ingestionOf, openTables } from "../bronze/verify/verification-run.ts";
import { META } from "../definition/bronze-columns.ts";
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
}

/** What a chunk did. */
export interface BronzeChunk extends ReadAgain {
  /** Rows that were appended. */
  readonly rows: number;
  /** Rows that have changed since the moment: bronze has taken them as they are now. */
  readonly left: number;
  readonly version: number;
}

/** Makes one chunk. Rejects with `BRONZE_RACE_LOST` where another run took changes of the table meanwhile. */
export async function runBronzeChunk(subject: BronzeSubject, chunk: Interval): Promise<BronzeChunk> {
  const quiet = { ...subject, context: { ...subject.context, onProgress: ignoreProgress } };
  return quiet.pipeline.source.changes === "wal" ? captured(quiet, chunk) : queried(quiet, chunk);
}

/** Changes are captured: the moment lies at a known place among them. */
async function captured(subject: BronzeSubject, chunk: Interval): Promise<BronzeChunk> {
  const { context, pipeline, target } = subject;
  const shared = await shareSlotSnapshot(context.connectionString, await createSlotSnapshot(context));
  return atMoment(shared, async () => {
    await sync(context, pipeline);
    const before = upTo(shared.moment.lsn);
    return comparing(subject, shared, before, async (work) => {
      const read = await readAgain(work, subject.field, chunk);
      const { base } = work;
      const rows = await scanSql(target.store, scannable(base));
      const left = await dropChanged(work, `SELECT * FROM (${rows}) WHERE NOT ${before}`);
      const position = samePosition(base, target.now());
      const repair = { base, lsn: shared.moment.lsn, moment: shared.moment, position };
      return { ...read, left, ...(await repaired(work, repair)) };
    });
  });
}

/** Changes are asked for: what a further sync finds may have been so before the moment, or after it. */
async function queried(subject: BronzeSubject, chunk: Interval): Promise<BronzeChunk> {
  const { context, alone, target } = subject;
  await sync(context, alone);
  const shared = await shareSnapshot(context.connectionString);
  return atMoment(shared, () =>
    comparing(subject, shared, undefined, async (work) => {
      const read = await readAgain(work, subject.field, chunk);
      if ((await countDifferences(work)) > 0) await sync(context, alone);
      const newest = await target.existingSnapshot();
      const left =
        newest.version > work.base.version ? await dropChanged(work, await changesSince(work, newest)) : 0;
      // Behind all that bronze has of these rows.
      const lsn = Math.max(shared.moment.lsn, readPosition(work.base)?.lsn ?? 0) + 1;
      const position = raisedPosition(newest, lsn, target.now());
      return {
        ...read,
        left,
        ...(await repaired(work, { base: newest, lsn, moment: shared.moment, position })),
      };
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

/** Opens the comparison of the table with the moment. `before`: condition on the changes that bronze had then. */
async function comparing<T>(
  { context, pipeline, alone, target }: BronzeSubject,
  shared: SharedSnapshot,
  before: string | undefined,
  use: (work: Comparison) => Promise<T>,
): Promise<T> {
  const [opened] = await openTables(context, alone);
  if (opened === undefined) throw new RangeError("the table is not there");
  const { table }: { readonly table: TableDescription } = opened;
  const base = await target.existingSnapshot();
  const rows = await scanSql(target.store, scannable(base));
  const readers = new SourceReaders(ingestionOf(context, pipeline, shared));
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

async function repaired(work: Comparison, repair: Repair): Promise<{ rows: number; version: number }> {
  if ((await countDifferences(work)) === 0) return { rows: 0, version: repair.base.version };
  return repairTable(work, repair);
}

async function countDifferences({ session }: Comparison): Promise<number> {
  const [counted] = await session.rows("SELECT count(*) AS rows FROM differences");
  return Number(counted?.rows);
}

/** SQL of the changes that came into bronze since it was compared. */
async function changesSince({ target, base }: Comparison, newest: Snapshot): Promise<string> {
  const files = await addedFiles(target.store, base.version, newest.version);
  if (files !== undefined) return scanSql(target.store, { ...scannable(newest), files });
  const all = await scanSql(target.store, scannable(newest));
  return `SELECT * FROM (${all}) WHERE ${META.lsn} > ${readPosition(base)?.lsn ?? 0}`;
}
