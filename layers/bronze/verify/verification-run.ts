/** What verifications share, however changes of the source are found. */

import type { PipelineDefinition, SourceTable } from "../../definition/pipeline.ts";
import type { IngestContext, Ingestion } from "../ingestion.ts";
import { RateLimit } from "../postgres/rate-limit.ts";
import type { SharedSnapshot } from "../postgres/snapshot.ts";
import { describeSource } from "../source-tables.ts";
import { type ComparedTable, progressTask, type TableToCompare } from "./compare-tables.ts";
import type { TableVerification } from "./report.ts";

export interface VerifyOptions {
  /** Names of bronze tables; all by default. */
  readonly tables?: readonly string[];
  /** Append what makes the lake agree with the source. */
  readonly repair?: boolean;
  /** Rows that one statement compares at the source, about. */
  readonly rangeRows?: number;
}

/** Tables by the name of their bronze table. */
export type Tables = Readonly<Record<string, SourceTable>>;

/** The pipeline as if it took these tables only. */
export function withTables(pipeline: PipelineDefinition, tables: Tables): PipelineDefinition {
  const { discover: _discover, ...source } = pipeline.source;
  return { ...pipeline, source: { ...source, tables } };
}

/** The run that reads the source at this moment, within the limits that the pipeline sets. */
export function ingestionOf(
  context: IngestContext,
  pipeline: PipelineDefinition,
  shared: SharedSnapshot,
): Ingestion {
  const megabytes = pipeline.source.limits?.megabytesPerSecond;
  return { context, pipeline, shared, rate: megabytes === undefined ? undefined : new RateLimit(megabytes) };
}

/** The tables of the pipeline, with the newest version of each in the lake. */
export async function openTables(
  context: IngestContext,
  pipeline: PipelineDefinition,
): Promise<TableToCompare[]> {
  const tables: TableToCompare[] = [];
  for (const table of await describeSource(context, pipeline)) {
    const base = await context.lake.table(`${pipeline.name}/bronze/${table.bronze}`).existingSnapshot();
    tables.push({ table, base });
  }
  return tables;
}

/** Bytes that a table took so far, and milliseconds. */
export const costOf = ({ bytes, startedAt }: ComparedTable) => ({
  bytes,
  durationMs: Date.now() - startedAt,
});

/** Says that a table is done. */
export function finished({ onProgress }: IngestContext, report: TableVerification): TableVerification {
  const differs = report.missing + report.extra + report.different;
  const note = report.status === "same" ? "same" : `${differs} differ, ${report.repaired} repaired`;
  onProgress({ task: progressTask(report.table), state: "done", rows: report.sourceRows, note });
  return report;
}
