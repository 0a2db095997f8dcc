/**
 * Makes bronze what a moment of the source shows, whatever was lost on the way: after a slot was lost or invalidated,
 * or the source failed over, and changes between are not to be had any more. Only ranges whose sums differ are read.
 */
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import type { IngestContext } from "../ingestion.ts";
import { positionActions } from "../position.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import type { SharedSnapshot } from "../postgres/snapshot.ts";
import { comparingTables, progressTask, RANGE_ROWS, type TableToCompare } from "./compare-tables.ts";
import { repairTable, samePosition } from "./repair.ts";
import { reportOf, type TableVerification } from "./report.ts";
import { ingestionOf } from "./verification-run.ts";

export interface RepairOptions {
  readonly tables: readonly TableDescription[];
  /** By name of the bronze table: the version to decide on, where it must be no newer one. */
  readonly bases?: ReadonlyMap<string, Snapshot>;
  readonly rangeRows?: number;
  /** Sets each table's position to the moment, in the commit of its repair, even where no row differs. */
  readonly movePosition: boolean;
}

/**
 * Compares all that the tables hold with the moment, and appends what differs as of it. The moment must lie at or behind
 * everything that was taken: nothing of the tables may be newer. Throws `BRONZE_RACE_LOST` where somebody else moved a
 * table's position since its base; tables that were repaired before stay so, and the same call can be made again.
 */
export async function repairTables(
  context: IngestContext,
  pipeline: PipelineDefinition,
  shared: SharedSnapshot,
  { tables, bases, rangeRows = RANGE_ROWS, movePosition }: RepairOptions,
): Promise<TableVerification[]> {
  const wanted: TableToCompare[] = [];
  for (const table of tables) {
    const target = context.lake.table(`${pipeline.name}/bronze/${table.bronze}`);
    wanted.push({ table, base: bases?.get(table.bronze) ?? (await target.existingSnapshot()) });
  }
  const ingestion = ingestionOf(context, pipeline, shared);
  return comparingTables(ingestion, wanted, { rangeRows }, async (compared) => {
    const reports: TableVerification[] = [];
    for (const { work, compared: ranges, bytes, startedAt } of compared) {
      const { base, table, target } = work;
      const found = await reportOf(work, ranges);
      const { moment } = shared;
      const position = movePosition
        ? positionActions(moment, table, target.now(), { changes: "wal", mixed: false })
        : samePosition(base, target.now());
      const nothing = found.status === "same" && !movePosition;
      const { rows, version } = nothing
        ? { rows: 0, version: base.version }
        : await repairTable(work, { base, lsn: moment.lsn, moment, position });
      const status = found.status === "same" ? "same" : "repaired";
      context.onProgress({
        task: progressTask(work.task),
        state: "done",
        rows: found.sourceRows,
        note: rows === 0 ? "same" : `${rows} repaired`,
      });
      reports.push({ ...found, status, repaired: rows, version, bytes, durationMs: Date.now() - startedAt });
    }
    return reports;
  });
}
