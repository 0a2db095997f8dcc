/** Brings one loaded table up to the run's moment by asking the source, without logical replication. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { SourceTable } from "../definition/pipeline.ts";
import { isMisread } from "./csv.ts";
import { READINGS, type Reading } from "./full-load.ts";
import { type Increment, stageIncrement } from "./increment.ts";
import { commitRows, type Ingestion, type IngestReport, openReader, type TableWork } from "./ingestion.ts";
import { lockTables, measureExtents } from "./load/extent.ts";
import { checkPosition, type Position } from "./position.ts";
import { disconnect } from "./postgres/connect.ts";
import type { SourceMoment } from "./postgres/snapshot.ts";
import { type CursorState, cursorState } from "./query/cursor.ts";
import { checkIdSequence } from "./query/id-cursor.ts";
import { type FollowedColumns, followColumns } from "./query/table-drift.ts";

/** A position that falls behind by so many transactions is moved even when no row is new. */
const IDLE_GAP = 10_000_000n;
/** The longest that a writing transaction stays open, in seconds, where the pipeline does not say. */
const LONGEST_TRANSACTION = 3600;

/** Appends what is new since `from`, the position of `loaded`. */
export async function syncTable(
  ingestion: Ingestion,
  work: TableWork,
  loaded: Snapshot,
  from: Position,
): Promise<IngestReport> {
  const { context, pipeline, shared } = ingestion;
  const { table, task, path } = work;
  const { onProgress } = context;
  checkPosition(from, shared.moment, path);
  // Two moments may share an LSN; within a table it has to tell the order of changes.
  const to = { ...shared.moment, lsn: Math.max(shared.moment.lsn, from.lsn + 1) };
  const policy = pipeline.source.tables[table.bronze]?.drift ?? "evolve";
  try {
    onProgress({ task, state: "running", rows: 0, bytes: 0 });
    await checkIdSequence(shared.control, table);
    const target = context.lake.table(path);
    const columns = await followColumns(shared.control, target, loaded, { table, from, policy });
    const { base } = columns;
    const { increment, cursor } = await stageAnyhow(ingestion, work, { from, to, columns });
    const { staged, bytesRead, deleted } = increment;
    const sameTable = table.relations.join() === from.relations.join();
    const isNew = staged.rows > 0 || !sameTable;
    const idle = !isNew && !cursor.moves && to.xmax - from.xmax < IDLE_GAP;
    const state = { changes: "query" as const, mixed: false, ...cursor.state };
    const version = idle
      ? base.version
      : await commitRows(context, work, { base, staged, moment: to, mode: "sync", state });
    const note = isNew ? `version ${version}${deleted > 0 ? `, ${deleted} deleted` : ""}` : "nothing new";
    onProgress({ task, state: "done", rows: staged.rows, bytes: bytesRead, note });
    const status = isNew ? "committed" : "unchanged";
    return { table: task, mode: "sync", status, rows: staged.rows, deleted, bytes: bytesRead, version };
  } catch (error) {
    onProgress({ task, state: "failed" });
    throw error;
  }
}

interface Stage {
  readonly from: Position;
  readonly to: SourceMoment;
  readonly columns: FollowedColumns;
}

interface StagedTable {
  readonly increment: Increment;
  readonly cursor: CursorState;
}

/** Stages the new rows in the fastest way in which they can be read. */
async function stageAnyhow(ingestion: Ingestion, work: TableWork, request: Stage): Promise<StagedTable> {
  const { onProgress } = ingestion.context;
  const readings = READINGS.filter(({ mode }) => mode === "careful" || !request.columns.careful);
  for (const [way, reading] of readings.entries()) {
    if (way > 0) onProgress({ task: work.task, state: "running", bytes: 0, note: reading.note ?? "" });
    try {
      return await stage(ingestion, work, request, reading);
    } catch (error) {
      if (!isMisread(error) || way + 1 === readings.length) throw error;
    }
  }
  throw new RangeError("there is no way to read rows");
}

/** Stages the new rows, on a connection and in a session of its own: a read that failed leaves both unusable. */
async function stage(
  ingestion: Ingestion,
  { table, task, path }: TableWork,
  { from, to, columns }: Stage,
  reading: Reading,
): Promise<StagedTable> {
  const { context, pipeline, rate } = ingestion;
  const wanted: SourceTable = pipeline.source.tables[table.bronze] ?? {};
  const target = context.lake.table(path);
  const session = await context.lake.duckdb.session();
  const client = await openReader(ingestion);
  try {
    await lockTables(client, [table]);
    const extents = await measureExtents(client, [table]);
    const source = {
      client,
      table,
      extent: extents.get(table) ?? { leaves: [], bytes: undefined },
      statementSeconds: pipeline.source.limits?.statementSeconds,
    };
    const longest = wanted.longestTransaction ?? LONGEST_TRANSACTION;
    const cursor = await cursorState(source, { from, to, longest, changed: columns.changed });
    const request = {
      table: { ...table, columns: columns.columns },
      from,
      to,
      reading,
      since: columns.retake ? "everywhere" : cursor.since,
      retake: columns.retake,
      compareDeletes: wanted.deletes === "compare" && table.key.length > 0,
      base: columns.base,
      bronze: await scanSql(target.store, scannable(columns.base)),
    };
    const increment = await stageIncrement(source, session, target, request, {
      rate,
      onArrival: (bytes, rows) => context.onProgress({ task, state: "running", bytes, rows }),
    });
    return { increment, cursor };
  } finally {
    await disconnect(client);
    await session.close();
  }
}
