/** Brings the tables of a pipeline's source into bronze: the whole table first, afterwards what is new. */
import pLimit from "p-limit";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { duckdbType } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import { codeOf, TerminalError, TransientError } from "../../lakehouse/errors.ts";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import type { ProgressListener } from "../../lakehouse/progress.ts";
import type { PipelineDefinition, SourceTable } from "../definition/pipeline.ts";
import { stageFullLoad } from "./full-load.ts";
import { stageIncrement } from "./increment.ts";
import { checkPosition, type Position, positionActions, readPosition } from "./position.ts";
import { describeTable, type TableDescription } from "./postgres/catalog.ts";
import { connect, disconnect } from "./postgres/connect.ts";
import { type SharedSnapshot, type SourceMoment, shareSnapshot } from "./postgres/snapshot.ts";
import { bronzeSchema } from "./schema.ts";

export interface IngestContext {
  readonly lake: Lake;
  readonly connectionString: string;
  /** Tables read at once. */
  readonly concurrency: number;
  readonly onProgress: ProgressListener;
}

/** What happened to one table. */
export interface IngestReport {
  /** `bronze.orders` */
  readonly table: string;
  readonly mode: "load" | "sync";
  /** `skipped`: it was loaded before. `unchanged`: nothing new at the source. */
  readonly status: "committed" | "unchanged" | "skipped";
  readonly rows: number;
  readonly deleted: number;
  /** Bytes that Postgres sent. */
  readonly bytes: number;
  readonly version: number;
}

/** Loads every table that is not yet in bronze, all at one moment of the source. */
export function load(context: IngestContext, pipeline: PipelineDefinition): Promise<IngestReport[]> {
  return ingest(context, pipeline, "load");
}

/** Appends what is new to every table, all at one moment of the source; loads tables that are not yet there. */
export function sync(context: IngestContext, pipeline: PipelineDefinition): Promise<IngestReport[]> {
  return ingest(context, pipeline, "sync");
}

async function ingest(
  context: IngestContext,
  pipeline: PipelineDefinition,
  mode: "load" | "sync",
): Promise<IngestReport[]> {
  const tables = await describeAll(context.connectionString, pipeline);
  // Before the source's moment: were they read after it, a rival could have taken its rows up to a later one, and
  // ours would go over them as if they were newer. Like this its commit is a conflict.
  const bases = new Map<string, Snapshot | undefined>();
  for (const { name } of tables) bases.set(name, await context.lake.table(pathOf(pipeline, name)).snapshot());
  const shared = await shareSnapshot(context.connectionString);
  try {
    const limit = pLimit(context.concurrency);
    // The biggest first, so that none of them is left alone at the end.
    const order = [...tables].sort((a, b) => (b.estimatedRows ?? 0) - (a.estimatedRows ?? 0));
    const settled = await Promise.allSettled(
      order.map((table) =>
        limit(() => {
          const path = pathOf(pipeline, table.name);
          const work = { context, pipeline, table, shared, task: `bronze.${table.name}`, path };
          return ingestTable(work, bases.get(table.name), mode);
        }),
      ),
    );
    const failed = settled.find((outcome) => outcome.status === "rejected");
    if (failed) throw failed.reason;
    return settled.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  } finally {
    await shared.end();
  }
}

async function describeAll(
  connectionString: string,
  pipeline: PipelineDefinition,
): Promise<TableDescription[]> {
  const client = await connect(connectionString);
  try {
    const tables: TableDescription[] = [];
    for (const [name, wanted] of Object.entries(pipeline.source.tables)) {
      tables.push(await describeTable(client, name, wanted));
    }
    return tables;
  } finally {
    await disconnect(client);
  }
}

const pathOf = (pipeline: PipelineDefinition, table: string): TablePath => `${pipeline.name}/bronze/${table}`;

async function ingestTable(
  work: TableWork,
  base: Snapshot | undefined,
  mode: "load" | "sync",
): Promise<IngestReport> {
  const { context, task, path } = work;
  const from = readPosition(base);
  if (base !== undefined && from === undefined) {
    throw new TerminalError(`${path} was not made by an ingestion`, {
      code: "BRONZE_FOREIGN_TABLE",
      value: context.lake.table(path).store.root,
      next: "Move that table away, or give the pipeline another name.",
    });
  }
  if (from !== undefined && base !== undefined && mode === "load") {
    context.onProgress({ task, state: "skipped", note: `loaded before, version ${base.version}` });
    return { table: task, mode, status: "skipped", rows: 0, deleted: 0, bytes: 0, version: base.version };
  }
  try {
    return base === undefined || from === undefined
      ? await loadTable(work)
      : await syncTable(work, base, from);
  } catch (error) {
    context.onProgress({ task, state: "failed" });
    throw error;
  }
}

interface TableWork {
  readonly context: IngestContext;
  readonly pipeline: PipelineDefinition;
  readonly table: TableDescription;
  readonly shared: SharedSnapshot;
  readonly task: string;
  readonly path: TablePath;
}

async function loadTable(work: TableWork): Promise<IngestReport> {
  const { context, table, shared, task } = work;
  const { onProgress } = context;
  const expected = table.estimatedRows === undefined ? {} : { totalRows: table.estimatedRows };
  onProgress({ task, state: "running", rows: 0, bytes: 0, ...expected });
  const { staged, bytesRead: bytes } = await stageTable(work, true).catch((error: unknown) => {
    if (codeOf(error) !== "COPY_VALUE") throw error;
    onProgress({ task, state: "running", bytes: 0, note: "line breaks in text: reading in one part" });
    return stageTable(work, false);
  });
  const version = await commitRows(work, undefined, staged, shared.moment, "load");
  onProgress({ task, state: "done", rows: staged.rows, bytes, note: `version ${version}` });
  return { table: task, mode: "load", status: "committed", rows: staged.rows, deleted: 0, bytes, version };
}

async function stageTable({ context, table, shared, task, path }: TableWork, parallel: boolean) {
  const { lake, onProgress } = context;
  const session = await lake.duckdb.session();
  const client = await shared.reader();
  try {
    return await stageFullLoad(
      client,
      session,
      lake.table(path),
      table,
      shared.moment,
      parallel,
      (bytes, rows) => onProgress({ task, state: "running", bytes, rows }),
    );
  } finally {
    await disconnect(client);
    await session.close();
  }
}

/** A position that falls behind by so many transactions is moved even when no row is new. */
const IDLE_GAP = 10_000_000n;

async function syncTable(work: TableWork, base: Snapshot, from: Position): Promise<IngestReport> {
  const { context, pipeline, table, shared, task, path } = work;
  const { onProgress, lake } = context;
  checkPosition(from, shared.moment, path);
  checkColumns(table, base, path);
  // Two moments may share an LSN; within a table it has to tell the order of changes.
  const to = { ...shared.moment, lsn: Math.max(shared.moment.lsn, from.lsn + 1) };
  const target = lake.table(path);
  const session = await lake.duckdb.session();
  const client = await shared.reader();
  try {
    onProgress({ task, state: "running", rows: 0, bytes: 0 });
    const wanted: SourceTable = pipeline.source.tables[table.name] ?? {};
    const { staged, bytesRead, deleted } = await stageIncrement(
      client,
      session,
      target,
      {
        table,
        from,
        to,
        longestTransaction: wanted.longestTransaction ?? 3600,
        compareDeletes: wanted.deletes === "compare" && table.key.length > 0,
        bronze: await scanSql(target.store, scannable(base)),
      },
      (bytes, rows) => onProgress({ task, state: "running", bytes, rows }),
    );
    const sameTable = table.relations.join() === from.relations.join();
    const idle = staged.rows === 0 && sameTable && to.xmax - from.xmax < IDLE_GAP;
    const version = idle ? base.version : await commitRows(work, base, staged, to, "sync");
    const note = idle ? "nothing new" : `version ${version}${deleted > 0 ? `, ${deleted} deleted` : ""}`;
    onProgress({ task, state: "done", rows: staged.rows, bytes: bytesRead, note });
    const status = idle ? "unchanged" : "committed";
    return { table: task, mode: "sync", status, rows: staged.rows, deleted, bytes: bytesRead, version };
  } finally {
    await disconnect(client);
    await session.close();
  }
}

async function commitRows(
  work: TableWork,
  base: Snapshot | undefined,
  staged: Staged,
  moment: SourceMoment,
  mode: string,
): Promise<number> {
  const { context, table, path } = work;
  const outcome = await context.lake.table(path).write({
    operation: base === undefined ? "CREATE TABLE AS SELECT" : "WRITE",
    parameters: { mode: "Append", ingest: mode },
    base,
    schema: base?.schema ?? bronzeSchema(table),
    staged,
    reads: "nothing",
    description: `${table.schema}.${table.name}, as it came`,
    ...positionActions(moment, table, Date.now()),
  });
  if (outcome.status === "committed") return outcome.version;
  throw new TransientError(`another run ingested ${path} at the same time`, {
    code: "BRONZE_RACE_LOST",
    value: outcome.reason,
    next: "Nothing was taken twice. Run again if rows are missing, and one ingestion at a time.",
  });
}

/** Until schema changes are followed, a source whose columns changed is refused rather than read wrongly. */
function checkColumns(table: TableDescription, base: Snapshot, path: string): void {
  const shape = (schema: ReturnType<typeof bronzeSchema>) =>
    schema.fields.map((f) => `${f.name} ${duckdbType(f.type)}`).sort();
  const [now, then] = [shape(bronzeSchema(table)), shape(base.schema)];
  const added = now.filter((column) => !then.includes(column));
  const gone = then.filter((column) => !now.includes(column));
  if (added.length === 0 && gone.length === 0) return;
  throw new TerminalError(`the columns of ${table.schema}.${table.name} changed since it was loaded`, {
    code: "SOURCE_SCHEMA_CHANGED",
    value: [...added.map((c) => `+ ${c}`), ...gone.map((c) => `- ${c}`)].join(", "),
    next: `Load it anew: move ${path} out of the lake and run \`ingot load\`.`,
  });
}
