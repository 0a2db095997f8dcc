/** What the ingestion of a pipeline works with, and the commit that all of its ways into bronze share. */
import type { AddFile } from "../../lakehouse/delta/actions.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import type { ProgressListener } from "../../lakehouse/progress.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import { versionOf } from "./commit-outcome.ts";
import { type PositionState, positionActions } from "./position.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import type { RateLimit } from "./postgres/rate-limit.ts";
import type { SharedSnapshot, SourceMoment } from "./postgres/snapshot.ts";
import { bronzeSchema } from "./schema.ts";

export interface IngestContext {
  readonly lake: Lake;
  readonly connectionString: string;
  /** Reads at once, where the pipeline sets no limit of its own. */
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
  /** Rows that this run took. */
  readonly rows: number;
  readonly deleted: number;
  /** Bytes that Postgres sent. */
  readonly bytes: number;
  readonly version: number;
}

/** One run over tables of a pipeline, at one moment of the source. */
export interface Ingestion {
  readonly context: IngestContext;
  readonly pipeline: PipelineDefinition;
  readonly shared: SharedSnapshot;
  readonly rate: RateLimit | undefined;
}

/** One table in it. */
export interface TableWork {
  readonly table: TableDescription;
  /** `bronze.orders` */
  readonly task: string;
  readonly path: TablePath;
  /** The bronze table before the source's moment. */
  readonly base: Snapshot | undefined;
}

/** What a commit carries. */
export interface BronzeCommit {
  readonly base: Snapshot | undefined;
  readonly staged: Staged;
  readonly removes?: Iterable<AddFile>;
  readonly mode: "load" | "sync";
  /** The position after it. */
  readonly moment: SourceMoment;
  readonly state?: PositionState;
}

/** Commits rows with the position that they move to. Another run that moved it meanwhile makes this one fail. */
export async function commitRows(
  { lake }: IngestContext,
  { table, path }: TableWork,
  { base, staged, removes, mode, moment, state }: BronzeCommit,
): Promise<number> {
  const outcome = await lake.table(path).write({
    operation: base === undefined ? "CREATE TABLE AS SELECT" : "WRITE",
    parameters: { mode: removes === undefined ? "Append" : "Overwrite", ingest: mode },
    base,
    schema: base === undefined || removes !== undefined ? bronzeSchema(table) : base.schema,
    staged,
    ...(removes === undefined ? {} : { removes }),
    reads: "nothing",
    description: `${table.schema}.${table.name}, as it came`,
    ...positionActions(moment, table, Date.now(), state),
  });
  return versionOf(outcome, {
    lost: `another run ingested ${path} at the same time`,
    next: "Nothing was taken twice. Run again if rows are missing, and one ingestion at a time.",
  });
}

/** Statements that read, at the same time. */
export const readersOf = ({ context, pipeline }: Pick<Ingestion, "context" | "pipeline">): number =>
  Math.max(1, pipeline.source.limits?.connections ?? context.concurrency);

/** A connection that reads at the run's moment, within the time that a statement may take. */
export async function openReader({ shared, pipeline }: Ingestion): ReturnType<SharedSnapshot["reader"]> {
  const client = await shared.reader();
  const seconds = pipeline.source.limits?.statementSeconds;
  if (seconds !== undefined) await client.query(`SET statement_timeout = ${Math.ceil(seconds * 1000)}`);
  return client;
}
