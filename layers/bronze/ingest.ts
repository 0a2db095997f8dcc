/** Brings the tables of a pipeline's source into bronze: the whole table first, afterwards what is new. */
import pLimit from "p-limit";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { TablePath } from "../../lakehouse/lake.ts";
import type { ProgressEvent } from "../../lakehouse/progress.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { createMessages, messagesTable } from "./capture/messages-table.ts";
import { captureChanges } from "./capture/run.ts";
import {
  type IngestContext,
  type Ingestion,
  type IngestReport,
  readersOf,
  type TableWork,
} from "./ingestion.ts";
import { type LoadOptions, loadTables } from "./load/load-tables.ts";
import { openMoment } from "./load/source-moment.ts";
import { type Position, readPosition } from "./position.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import { RateLimit } from "./postgres/rate-limit.ts";
import { readingSource } from "./postgres/read-error.ts";
import { describeSource } from "./source-tables.ts";
import { syncTable } from "./sync-table.ts";

export type { IngestContext, IngestReport } from "./ingestion.ts";
export type { LoadOptions } from "./load/load-tables.ts";

/**
 * Loads every table that is not yet in bronze, all at one moment of the source. A load that was interrupted goes on
 * where it was.
 */
export function load(
  context: IngestContext,
  pipeline: PipelineDefinition,
  options: LoadOptions = {},
): Promise<IngestReport[]> {
  return readingSource(async () =>
    ingest(context, pipeline, await describeSource(context, pipeline), "load", options),
  );
}

/**
 * Appends what is new to every table; loads tables that are not wholly there. Captured changes are taken up to what
 * had committed when the run began; those found by query are of one moment of the source.
 */
export function sync(context: IngestContext, pipeline: PipelineDefinition): Promise<IngestReport[]> {
  return readingSource(async () => {
    const tables = await describeSource(context, pipeline);
    return pipeline.source.changes === "wal"
      ? capture(context, pipeline, tables)
      : ingest(context, pipeline, tables, "sync", {});
  });
}

async function capture(
  context: IngestContext,
  pipeline: PipelineDefinition,
  tables: readonly TableDescription[],
): Promise<IngestReport[]> {
  // That a table was loaded before is no news to somebody who syncs; that one is gone has been said.
  const onProgress = (event: ProgressEvent) => event.state !== "skipped" && context.onProgress(event);
  const quiet = { ...context, onProgress };
  const loaded = await ingest(quiet, pipeline, tables, "load", {});
  const hasLoaded = loaded.some((report) => report.status === "committed");
  // A load takes its time, in which tables may have got other columns or partitions.
  const current = hasLoaded ? await describeSource(quiet, pipeline) : tables;
  const captured = await captureChanges(context, pipeline, current, { end: "caught-up" });
  for (const { table, rows, bytes } of captured) {
    const note = rows > 0 ? `version ${table.base.version}` : "nothing new";
    context.onProgress({ task: table.task, state: "done", rows, bytes, note });
  }
  return [
    ...loaded.filter((report) => report.status === "committed"),
    ...captured.map(({ table, rows, deleted, bytes }): IngestReport => {
      const status = rows > 0 ? "committed" : "unchanged";
      return { table: table.task, mode: "sync", status, rows, deleted, bytes, version: table.base.version };
    }),
  ];
}

async function ingest(
  context: IngestContext,
  pipeline: PipelineDefinition,
  tables: readonly TableDescription[],
  mode: "load" | "sync",
  options: LoadOptions,
): Promise<IngestReport[]> {
  // Before the source's moment: were they read after it, a rival could have taken its rows up to a later one, and
  // ours would go over them as if they were newer. Like this its commit is a conflict.
  const works: TableWork[] = [];
  for (const table of tables) works.push(await workOf(context, pipeline, table));
  const loaded = works.filter((work) => positionOf(work)?.load === undefined && work.base !== undefined);
  for (const work of loaded) checkChanges(pipeline, work);
  const wanted = works.filter((work) => !loaded.includes(work));
  const messages = await messagesOf(context, pipeline, tables);
  const isNew = messages !== undefined && messages.base === undefined;
  const there = messages === undefined || isNew ? loaded : [...loaded, messages];
  const skipped = mode === "load" ? there.map((work) => skip(context, work)) : [];
  if (mode === "load" && wanted.length === 0 && !isNew) return skipped;

  const { shared, isFirst } = await openMoment(context, pipeline, works, messages);
  try {
    const megabytes = pipeline.source.limits?.megabytesPerSecond;
    const rate = megabytes === undefined ? undefined : new RateLimit(megabytes);
    const ingestion: Ingestion = { context, pipeline, shared, rate };
    // Before anything else goes on with the slot: nothing that it sends may be acknowledged without being taken.
    if (isNew) skipped.push(await createMessages(ingestion, messages));
    const settled = mode === "sync" ? await syncTables(ingestion, loaded) : [];
    settled.push(...(await loadTables(ingestion, wanted, isFirst ? { ...options, resume: false } : options)));
    const failed = settled.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
    return [
      ...skipped,
      ...settled.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : [])),
    ];
  } finally {
    await shared.end();
  }
}

/** The biggest first, so that none of them is left alone at the end. */
function syncTables(
  ingestion: Ingestion,
  works: readonly TableWork[],
): Promise<PromiseSettledResult<IngestReport>[]> {
  const limit = pLimit(readersOf(ingestion));
  const size = ({ table }: TableWork) => table.estimatedRows ?? 0;
  const order = [...works].sort((a, b) => size(b) - size(a));
  return Promise.allSettled(
    order.map((work) =>
      limit(async () => {
        const from = positionOf(work);
        if (work.base === undefined || from === undefined)
          throw new RangeError(`${work.path} was not loaded`);
        return syncTable(ingestion, work, work.base, from);
      }),
    ),
  );
}

async function workOf(
  { lake }: IngestContext,
  pipeline: PipelineDefinition,
  table: TableDescription,
): Promise<TableWork> {
  const path: TablePath = `${pipeline.name}/bronze/${table.bronze}`;
  const base = await lake.table(path).snapshot();
  if (base !== undefined && readPosition(base) === undefined) {
    throw new TerminalError(`${path} was not made by an ingestion`, {
      code: "BRONZE_FOREIGN_TABLE",
      value: lake.table(path).store.root,
      next: "Move that table away, or give the pipeline another name.",
    });
  }
  return { table, task: `bronze.${table.bronze}`, path, base };
}

/** The table of logical messages; undefined where none are wanted. */
async function messagesOf(
  context: IngestContext,
  pipeline: PipelineDefinition,
  tables: readonly TableDescription[],
): Promise<TableWork | undefined> {
  const table = messagesTable(pipeline, tables);
  return table && workOf(context, pipeline, table);
}

const positionOf = (work: TableWork): Position | undefined => readPosition(work.base);

/** A table whose changes were found in one way cannot be kept up in the other: nobody knows what lies between. */
function checkChanges(pipeline: PipelineDefinition, work: TableWork): void {
  const changes = pipeline.source.changes ?? "query";
  const loadedFor = positionOf(work)?.changes;
  if (loadedFor === changes) return;
  throw new TerminalError(`${work.path} was loaded to be kept by changes: "${loadedFor}"`, {
    code: "BRONZE_OTHER_CHANGES",
    value: changes,
    allowed: `${loadedFor}, as long as that table is kept`,
    next: `Load it anew: move ${work.path} out of the lake and run \`ingot load\`.`,
  });
}

function skip({ onProgress }: IngestContext, { task, base }: TableWork): IngestReport {
  const version = base?.version ?? 0;
  onProgress({ task, state: "skipped", note: `loaded before, version ${version}` });
  return { table: task, mode: "load", status: "skipped", rows: 0, deleted: 0, bytes: 0, version };
}
