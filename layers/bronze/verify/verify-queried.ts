/** Verification of tables whose changes are found by query. */
import { addedFiles } from "../../../lakehouse/delta/changes.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { META } from "../../definition/bronze-columns.ts";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import { sync } from "../ingest.ts";
import type { IngestContext } from "../ingestion.ts";
import { readPosition } from "../position.ts";
import { type SharedSnapshot, shareSnapshot } from "../postgres/snapshot.ts";
import { type ComparedTable, comparingTables, RANGE_ROWS } from "./compare-tables.ts";
import { dropChanged } from "./explain.ts";
import { raisedPosition, repairTable } from "./repair.ts";
import { reportOf, type TableVerification } from "./report.ts";
import { costOf, finished, ingestionOf, openTables, type VerifyOptions } from "./verification-run.ts";

/** Changes are asked for: a row that a further sync finds changed may have been so before the moment, or after it. */
export async function verifyQueried(
  context: IngestContext,
  pipeline: PipelineDefinition,
  options: VerifyOptions,
): Promise<TableVerification[]> {
  await sync(context, pipeline);
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
        if (compared.some(differs)) await sync(context, pipeline);
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
  if (newest.version > base.version) await dropChanged(work, await changesBetween(table, newest));
  const found = await reportOf(work, compared);
  const report = { ...found, ...costOf(table), version: newest.version };
  if (!options.repair || found.status === "same") return report;
  // Behind all that bronze has of these rows.
  const lsn = Math.max(shared.moment.lsn, readPosition(base)?.lsn ?? 0) + 1;
  const position = raisedPosition(newest, lsn, target.now());
  const { rows, version } = await repairTable(work, { base: newest, lsn, moment: shared.moment, position });
  return { ...report, repaired: rows, version, status: "repaired", ...costOf(table) };
}

/** SQL of the changes that came into bronze since it was compared. */
async function changesBetween({ work }: ComparedTable, newest: Snapshot): Promise<string> {
  const { target, base } = work;
  const files = await addedFiles(target.store, base.version, newest.version);
  if (files !== undefined) return scanSql(target.store, { ...scannable(newest), files });
  const all = await scanSql(target.store, scannable(newest));
  return `SELECT * FROM (${all}) WHERE ${META.lsn} > ${readPosition(base)?.lsn ?? 0}`;
}
