/** Verification of tables whose changes are captured from the WAL. */
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import type { IngestContext } from "../ingestion.ts";
import { createSlotSnapshot } from "../postgres/replication/slot-snapshot.ts";
import { shareSlotSnapshot } from "../postgres/snapshot.ts";
import { syncBeside } from "../sync-beside.ts";
import { comparingTables, RANGE_ROWS } from "./compare-tables.ts";
import { upTo } from "./comparison.ts";
import { repairOnNewest, samePosition } from "./repair.ts";
import { reportOf, type TableVerification } from "./report.ts";
import {
  costOf,
  finished,
  ingestionOf,
  openTables,
  type Tables,
  type VerifyOptions,
  withTables,
} from "./verification-run.ts";

/** Changes are captured: the moment lies at a known place among them. */
export async function verifyCaptured(
  context: IngestContext,
  pipeline: PipelineDefinition,
  chosen: Tables,
  options: VerifyOptions,
): Promise<TableVerification[]> {
  const { connectionString } = context;
  const shared = await shareSlotSnapshot(connectionString, await createSlotSnapshot(context));
  try {
    // What committed before the moment is in bronze after this; what committed later is told by its place.
    await syncBeside(context, pipeline);
    const before = upTo(shared.moment.lsn);
    const tables = await openTables(context, withTables(pipeline, chosen));
    const settings = { rangeRows: options.rangeRows ?? RANGE_ROWS, changesBefore: before };
    return await comparingTables(
      ingestionOf(context, pipeline, shared),
      tables,
      settings,
      async (compared) => {
        const reports: TableVerification[] = [];
        for (const table of compared) {
          const { target, session } = table.work;
          const found = await reportOf(table.work, table.compared);
          let report = { ...found, ...costOf(table) };
          if (options.repair && found.status === "different") {
            // A row that has changed since must stay the newest of its key, and that of this moment is not.
            const { rows, left, version } = await repairOnNewest(table.work, {
              lsn: shared.moment.lsn,
              moment: shared.moment,
              later: async (newest) =>
                `SELECT * FROM (${await scanSql(target.store, scannable(newest))}) WHERE NOT ${before}`,
              position: (newest) => samePosition(newest, target.now()),
            });
            report = {
              ...report,
              repaired: rows,
              version,
              status: left > 0 ? "different" : "repaired",
              ...costOf(table),
            };
          }
          await session.run("DROP TABLE differences");
          reports.push(finished(context, report));
        }
        return reports;
      },
    );
  } finally {
    await shared.end();
  }
}
