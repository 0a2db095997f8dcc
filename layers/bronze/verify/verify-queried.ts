/** Verification of tables whose changes are found by query. */
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import type { IngestContext } from "../ingestion.ts";
import { readPosition } from "../position.ts";
import { type SharedSnapshot, shareSnapshot } from "../postgres/snapshot.ts";
import { syncBeside } from "../sync-beside.ts";
import { type ComparedTable, comparingTables, RANGE_ROWS } from "./compare-tables.ts";
import { changesBetween, dropChanged } from "./explain.ts";
import { raisedPosition, repairOnNewest } from "./repair.ts";
import { reportOf, type TableVerification } from "./report.ts";
import { costOf, finished, ingestionOf, openTables, type VerifyOptions } from "./verification-run.ts";

/** Changes are asked for: a row that a further sync finds changed may have been so before the moment, or after it. */
export async function verifyQueried(
  context: IngestContext,
  pipeline: PipelineDefinition,
  options: VerifyOptions,
): Promise<TableVerification[]> {
  await syncBeside(context, pipeline);
  const tables = await openTables(context, pipeline);
  const shared = await shareSnapshot(context.connectionString);
  try {
    const settings = { rangeRows: options.rangeRows ?? RANGE_ROWS };
    return await comparingTables(
      ingestionOf(context, pipeline, shared),
      tables,
      settings,
      async (compared) => {
        const differs = ({ compared: { ranges } }: ComparedTable) => ranges.some((r) => r.buckets.length > 0);
        if (compared.some(differs)) await syncBeside(context, pipeline);
        const reports: TableVerification[] = [];
        for (const table of compared)
          reports.push(finished(context, await settleQueried(table, shared, options)));
        return reports;
      },
    );
  } finally {
    await shared.end();
  }
}

async function settleQueried(
  table: ComparedTable,
  shared: SharedSnapshot,
  options: VerifyOptions,
): Promise<TableVerification> {
  const { work, compared } = table;
  const { base, target } = work;
  const newest = await target.existingSnapshot();
  if (newest.version > base.version) await dropChanged(work, await changesBetween(target, base, newest));
  const found = await reportOf(work, compared);
  const report = { ...found, ...costOf(table), version: newest.version };
  if (!options.repair || found.status === "same") return report;
  // Behind all that bronze has of these rows.
  const lsn = Math.max(shared.moment.lsn, readPosition(base)?.lsn ?? 0) + 1;
  const { rows, version } = await repairOnNewest(work, {
    lsn,
    moment: shared.moment,
    later: (now) => changesBetween(target, newest, now),
    position: (now) => raisedPosition(now, lsn, target.now()),
  });
  return { ...report, repaired: rows, version, status: "repaired", ...costOf(table) };
}
