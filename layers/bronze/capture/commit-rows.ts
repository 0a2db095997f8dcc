/** A table's part of a batch, committed: its rows and how far it is then, together. */
import pLimit from "p-limit";
import { joinStaged, type Staged } from "../../../lakehouse/delta/stage.ts";
import type { Lake } from "../../../lakehouse/lake.ts";
import { versionOf } from "../commit-outcome.ts";
import { SOURCE_APP } from "../position.ts";
import type { Batch, TableRows } from "./batch.ts";
import type { CapturedTable } from "./captured-table.ts";
import { stageSegment } from "./stage-rows.ts";

/** Stages what waits in files, so that it takes no more room than its data files do. */
export async function stageRows(lake: Lake, table: CapturedTable, rows: TableRows): Promise<void> {
  const segments = rows.segments;
  rows.segments = [];
  if (segments.length === 0) return;
  const session = await lake.duckdb.session();
  try {
    for (const segment of segments) {
      rows.staged.push(
        await stageSegment(session, table, segment, rows.staged, new Date(table.target.now())),
      );
      await segment.rows.remove();
    }
  } finally {
    await session.close();
  }
}

/** Commits the tables of a batch, so many at once; throws when all have ended and one of them failed. */
export async function commitTables(
  lake: Lake,
  batch: Batch,
  concurrency: number,
  onCommitted: (table: CapturedTable, bytes: number) => void,
): Promise<void> {
  const limit = pLimit(concurrency);
  const settled = await Promise.allSettled(
    [...batch.tables].map(([table, rows]) =>
      limit(async () => onCommitted(table, (await commitRows(lake, table, rows, batch.endLsn)).bytes)),
    ),
  );
  const failed = settled.find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;
}

/** Commits the table's rows; afterwards it is at `endLsn`. Answers rows and bytes. */
async function commitRows(
  lake: Lake,
  table: CapturedTable,
  rows: TableRows,
  endLsn: number,
): Promise<Pick<Staged, "rows" | "bytes">> {
  await stageRows(lake, table, rows);
  const staged = joinStaged(rows.staged);
  const outcome = await table.target.write({
    operation: "WRITE",
    parameters: { mode: "Append", ingest: "capture" },
    base: table.base,
    schema: table.base.schema,
    staged,
    reads: "nothing",
    transactions: [{ appId: SOURCE_APP, version: endLsn, lastUpdated: table.target.now() }],
  });
  const version = versionOf(outcome, {
    lost: `another run captured ${table.task} at the same time`,
    next: "Nothing was taken twice. Run one capture at a time.",
  });
  table.base = await table.target.existingSnapshot(version);
  table.position = endLsn;
  return staged;
}
