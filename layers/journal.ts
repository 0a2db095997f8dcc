/** The run journal: one row a table and run, kept as a Delta table beside the pipeline's own. */
import { field, type StructType } from "../lakehouse/delta/schema.ts";
import type { Row } from "../lakehouse/duckdb/duckdb.ts";
import type { Lake } from "../lakehouse/lake.ts";
import { maskSecrets } from "../lakehouse/secrets.ts";
import { appendOwnRows, type OwnTable, ownRows } from "./own-table.ts";

export interface JournalEntry {
  /** `bronze.orders`, `gold.daily_revenue`, `publish daily_revenue` */
  readonly task: string;
  readonly status: string;
  readonly rowsIn: number;
  readonly rowsOut: number;
  readonly bytes: number;
  /** Version of the table after the run; undefined where there is none. */
  readonly version: number | undefined;
  /** Why a table was made anew, a model failed or did not run. */
  readonly reason?: string | undefined;
  /** Of a model: the versions that it read, by `layer.table`. */
  readonly inputs?: Readonly<Record<string, number>>;
  /** Of a model: what its SQL, kind and contract are known by. */
  readonly fingerprint?: string;
  /** SQL of a model that was made anew: it is that of the runs after it, up to the next such row. */
  readonly sql?: string;
}

export interface JournalRun {
  readonly id: string;
  /** `load`, `sync`, `build`, `publish` */
  readonly command: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly entries: readonly JournalEntry[];
}

const SCHEMA: StructType = {
  type: "struct",
  fields: [
    field("run_id", "string"),
    field("command", "string"),
    field("started_at", "timestamp"),
    field("duration_ms", "long"),
    field("task", "string"),
    field("status", "string"),
    field("rows_in", "long"),
    field("rows_out", "long"),
    field("bytes", "long"),
    field("version", "long"),
    field("reason", "string"),
    field("inputs", "string"),
    field("fingerprint", "string"),
    field("sql", "string"),
  ],
};

const OWN: OwnTable = {
  schema: SCHEMA,
  time: "started_at",
  id: ["run_id", "task"],
  // The newest row of a task, and the one that has the SQL of its table.
  newestOf: "task, sql IS NULL",
};

const journalTable = (lake: Lake, pipeline: string) => lake.table(`${pipeline}/_ingot/runs`);

const IDLE = ["unchanged", "skipped"];

/**
 * Appends a run. What changed nothing is left out, or an idle schedule would fill the table; but not where it follows
 * a failure, which is then over.
 */
export async function recordRun(lake: Lake, pipeline: string, run: JournalRun): Promise<void> {
  const idle = run.entries.filter((e) => IDLE.includes(e.status));
  const failed = idle.length === 0 ? new Set() : await failedLast(lake, pipeline);
  const entries = run.entries.filter((e) => !IDLE.includes(e.status) || failed.has(e.task));
  const rows = entries.map((e) => [
    run.id,
    run.command,
    new Date(run.startedAt),
    run.endedAt - run.startedAt,
    e.task,
    e.status,
    e.rowsIn,
    e.rowsOut,
    e.bytes,
    e.version,
    e.reason && maskSecrets(e.reason),
    e.inputs && JSON.stringify(e.inputs),
    e.fingerprint,
    e.sql && maskSecrets(e.sql),
  ]);
  await appendOwnRows(journalTable(lake, pipeline), OWN, rows);
}

/** Tasks whose newest run failed, or was blocked. */
async function failedLast(lake: Lake, pipeline: string): Promise<ReadonlySet<string>> {
  const rows = await ownRows(
    journalTable(lake, pipeline),
    OWN,
    "SELECT task FROM t GROUP BY task HAVING max_by(status, started_at) IN ('failed', 'blocked')",
  );
  return new Set(rows.map(({ task }) => String(task)));
}

/** The newest run of each task, without its inputs and SQL. */
export async function lastRuns(lake: Lake, pipeline: string): Promise<ReadonlyMap<string, Row>> {
  const rows = await ownRows(
    journalTable(lake, pipeline),
    OWN,
    `SELECT run_id, task, status, started_at, rows_in, rows_out FROM t
     QUALIFY row_number() OVER (PARTITION BY task ORDER BY started_at DESC) = 1`,
  );
  return new Map(rows.map((row) => [String(row.task), row]));
}
