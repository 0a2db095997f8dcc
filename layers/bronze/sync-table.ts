/** Brings one loaded table up to the run's moment by asking the source, without logical replication. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { duckdbType } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { SourceTable } from "../definition/pipeline.ts";
import { isMisread } from "./csv.ts";
import { type Increment, type IncrementRequest, stageIncrement } from "./increment.ts";
import { commitRows, type Ingestion, type IngestReport, openReader, type TableWork } from "./ingestion.ts";
import { checkPosition, type Position } from "./position.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import { disconnect } from "./postgres/connect.ts";
import { bronzeSchema } from "./schema.ts";

/** A position that falls behind by so many transactions is moved even when no row is new. */
const IDLE_GAP = 10_000_000n;

/** Appends what is new since `from`, the position of `base`. */
export async function syncTable(
  ingestion: Ingestion,
  work: TableWork,
  base: Snapshot,
  from: Position,
): Promise<IngestReport> {
  const { context, shared } = ingestion;
  const { table, task, path } = work;
  const { onProgress } = context;
  checkPosition(from, shared.moment, path);
  checkColumns(table, base, path);
  // Two moments may share an LSN; within a table it has to tell the order of changes.
  const to = { ...shared.moment, lsn: Math.max(shared.moment.lsn, from.lsn + 1) };
  try {
    onProgress({ task, state: "running", rows: 0, bytes: 0 });
    const { staged, bytesRead, deleted } = await stage(ingestion, work, base, {
      from,
      to,
      mode: "fast",
    }).catch((error: unknown) => {
      if (!isMisread(error)) throw error;
      onProgress({ task, state: "running", bytes: 0, note: "values without place: reading each as text" });
      return stage(ingestion, work, base, { from, to, mode: "careful" });
    });
    const sameTable = table.relations.join() === from.relations.join();
    const idle = staged.rows === 0 && sameTable && to.xmax - from.xmax < IDLE_GAP;
    const version = idle
      ? base.version
      : await commitRows(context, work, { base, staged, moment: to, mode: "sync" });
    const note = idle ? "nothing new" : `version ${version}${deleted > 0 ? `, ${deleted} deleted` : ""}`;
    onProgress({ task, state: "done", rows: staged.rows, bytes: bytesRead, note });
    const status = idle ? "unchanged" : "committed";
    return { table: task, mode: "sync", status, rows: staged.rows, deleted, bytes: bytesRead, version };
  } catch (error) {
    onProgress({ task, state: "failed" });
    throw error;
  }
}

/** Stages the new rows, on a connection and in a session of its own: a read that failed leaves both unusable. */
async function stage(
  ingestion: Ingestion,
  { table, task, path }: TableWork,
  base: Snapshot,
  { from, to, mode }: Pick<IncrementRequest, "from" | "to" | "mode">,
): Promise<Increment> {
  const { context, pipeline, rate } = ingestion;
  const wanted: SourceTable = pipeline.source.tables[table.bronze] ?? {};
  const target = context.lake.table(path);
  const session = await context.lake.duckdb.session();
  const client = await openReader(ingestion);
  try {
    const request = {
      table,
      from,
      to,
      mode,
      longestTransaction: wanted.longestTransaction ?? 3600,
      compareDeletes: wanted.deletes === "compare" && table.key.length > 0,
      bronze: await scanSql(target.store, scannable(base)),
    };
    return await stageIncrement(client, session, target, request, {
      rate,
      onArrival: (bytes, rows) => context.onProgress({ task, state: "running", bytes, rows }),
    });
  } finally {
    await disconnect(client);
    await session.close();
  }
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
