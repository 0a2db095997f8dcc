/** The run journal: one row a table and run, kept as a Delta table beside the pipeline's own. */

import { scannable, scanSql } from "../lakehouse/delta/scan.ts";
import { field, type StructType } from "../lakehouse/delta/schema.ts";
import type { Row } from "../lakehouse/duckdb/duckdb.ts";
import { identifiers, literal } from "../lakehouse/duckdb/quote.ts";
import type { Lake } from "../lakehouse/lake.ts";

export interface JournalEntry {
  /** `bronze.orders`, `gold.daily_revenue`, `publish daily_revenue` */
  readonly task: string;
  readonly status: string;
  readonly rowsIn: number;
  readonly rowsOut: number;
  readonly bytes: number;
  /** Version of the table after the run. */
  readonly version: number;
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
  ],
};

const journalTable = (lake: Lake, pipeline: string) => lake.table(`${pipeline}/_ingot/runs`);

/** Appends a run. Runs that changed nothing are left out, or an idle schedule would fill the table. */
export async function recordRun(lake: Lake, pipeline: string, run: JournalRun): Promise<void> {
  const entries = run.entries.filter((e) => !["unchanged", "skipped"].includes(e.status));
  if (entries.length === 0) return;
  const rows = entries.map((e) => {
    const started = `make_timestamp(${run.startedAt * 1000})::TIMESTAMPTZ`;
    const numbers = [e.rowsIn, e.rowsOut, e.bytes, e.version].join(", ");
    return `(${literal(run.id)}, ${literal(run.command)}, ${started}, ${run.endedAt - run.startedAt}, ${literal(e.task)}, ${literal(e.status)}, ${numbers})`;
  });
  const names = identifiers(SCHEMA.fields.map((f) => f.name));
  const session = await lake.duckdb.session();
  try {
    const table = journalTable(lake, pipeline);
    const staged = await table.stage(
      session,
      `SELECT * FROM (VALUES ${rows.join(", ")}) AS t(${names})`,
      SCHEMA,
    );
    // A blind append loses only the race to create the table; the second try then appends to it.
    for (let attempt = 0; attempt < 2; attempt++) {
      const base = await table.snapshot();
      const outcome = await table.write({
        operation: "WRITE",
        base,
        schema: SCHEMA,
        staged,
        reads: "nothing",
      });
      if (outcome.status === "committed") return;
    }
  } finally {
    await session.close();
  }
}

/** The newest run of each task. */
export async function lastRuns(lake: Lake, pipeline: string): Promise<ReadonlyMap<string, Row>> {
  const table = journalTable(lake, pipeline);
  const snapshot = await table.snapshot();
  if (snapshot === undefined) return new Map();
  const rows = await lake.duckdb.rows(
    `SELECT * FROM (${await scanSql(table.store, scannable(snapshot))}) QUALIFY row_number() OVER (PARTITION BY task ORDER BY started_at DESC) = 1`,
  );
  return new Map(rows.map((row) => [String(row.task), row]));
}
