/** Compares tables with one moment of the source, and hands each to what is to be done with it. */
import pLimit from "p-limit";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { type Ingestion, readersOf } from "../ingestion.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import { compareRanges } from "./compare-ranges.ts";
import { pairColumns } from "./compared-columns.ts";
import type { ComparedRanges, Comparison } from "./comparison.ts";
import { findDifferences } from "./differing-rows.ts";
import { SourceReaders } from "./source-readers.ts";

/** Rows of a range by default. */
export const RANGE_ROWS = 100_000;

/** A table to compare, and the version of bronze that is compared. */
export interface TableToCompare {
  readonly table: TableDescription;
  readonly base: Snapshot;
}

export interface CompareOptions {
  readonly rangeRows: number;
  /** Condition on bronze's changes that had been made at the moment; all of them where absent. */
  readonly changesBefore?: string;
}

/** A compared table; `differences` of its session holds the rows. */
export interface ComparedTable {
  readonly work: Comparison;
  readonly compared: ComparedRanges;
  /** Bytes of rows that were read. */
  readonly bytes: number;
  readonly startedAt: number;
}

/**
 * Compares the tables side by side. `use` gets all of them when the last one is done; their sessions end with it.
 */
export async function comparingTables<T>(
  ingestion: Ingestion,
  tables: readonly TableToCompare[],
  options: CompareOptions,
  use: (compared: readonly ComparedTable[]) => Promise<T>,
): Promise<T> {
  const readers = new SourceReaders(ingestion);
  const opened: Comparison[] = [];
  try {
    const limit = pLimit(readersOf(ingestion));
    const settled = await Promise.allSettled(
      tables.map((wanted) =>
        limit(async () => {
          const work = await openComparison(ingestion, readers, wanted, options);
          opened.push(work);
          return compareTable(ingestion, work);
        }),
      ),
    );
    const failed = settled.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
    return await use(settled.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : [])));
  } finally {
    await readers.close();
    for (const { session } of opened) await session.close();
  }
}

async function openComparison(
  { context, pipeline }: Ingestion,
  readers: SourceReaders,
  { table, base }: TableToCompare,
  { rangeRows, changesBefore }: CompareOptions,
): Promise<Comparison> {
  const task = `bronze.${table.bronze}`;
  const target = context.lake.table(`${pipeline.name}/bronze/${table.bronze}`);
  const rows = await scanSql(target.store, scannable(base));
  return {
    task,
    table,
    target,
    base,
    changes: changesBefore === undefined ? rows : `SELECT * FROM (${rows}) WHERE ${changesBefore}`,
    columns: pairColumns(table, base),
    session: await context.lake.duckdb.session(),
    readers,
    rangeRows,
    onRows: (count, totalRows) =>
      context.onProgress({ task: progressTask(task), state: "running", rows: count, totalRows }),
  };
}

async function compareTable({ context }: Ingestion, work: Comparison): Promise<ComparedTable> {
  const startedAt = Date.now();
  const task = progressTask(work.task);
  context.onProgress({ task, state: "running", rows: 0 });
  try {
    const compared = await compareRanges(work);
    const bytes = await findDifferences(work, compared);
    return { work, compared, bytes, startedAt };
  } catch (error) {
    context.onProgress({ task, state: "failed" });
    throw error;
  }
}

export const progressTask = (task: string): string => `verify ${task}`;
