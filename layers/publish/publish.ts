/** Publishing: the newest version of each gold table that the pipeline names goes to the target. */

import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { identifiers } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import type { ProgressListener } from "../../lakehouse/progress.ts";
import type { PipelineDefinition, PublishedMetric } from "../definition/pipeline.ts";
import { type PublishStatus, type PublishTarget, versionToken } from "./target.ts";

export interface PublishContext {
  readonly lake: Lake;
  readonly target: PublishTarget;
  readonly onProgress: ProgressListener;
}

export interface PublishReport {
  readonly metric: string;
  readonly status: PublishStatus;
  readonly rows: number;
  readonly version: number;
}

/** Publishes every metric of a pipeline, in the order in which it names them. */
export async function publish(
  context: PublishContext,
  pipeline: PipelineDefinition,
): Promise<PublishReport[]> {
  const reports: PublishReport[] = [];
  for (const metric of pipeline.publish ?? []) {
    const task = `publish ${metric.model}`;
    context.onProgress({ task, state: "running" });
    try {
      const report = await publishMetric(context, pipeline, metric);
      const state = report.status === "unchanged" ? "skipped" : "done";
      context.onProgress({
        task,
        state,
        rows: report.rows,
        note: `${report.status}, version ${report.version}`,
      });
      reports.push(report);
    } catch (error) {
      context.onProgress({ task, state: "failed" });
      throw error;
    }
  }
  return reports;
}

async function publishMetric(
  { lake, target }: PublishContext,
  pipeline: PipelineDefinition,
  metric: PublishedMetric,
): Promise<PublishReport> {
  const model = pipeline.gold?.[metric.model];
  if (model === undefined) {
    throw new TerminalError(
      `pipeline ${pipeline.name} publishes ${metric.model}, which is none of its gold models`,
      {
        code: "PUBLISH_UNKNOWN_MODEL",
        value: metric.model,
        allowed: Object.keys(pipeline.gold ?? {}).join(", "),
      },
    );
  }
  const table = lake.table(`${pipeline.name}/gold/${metric.model}`);
  const snapshot = await table.snapshot();
  if (snapshot === undefined) {
    throw new TerminalError(`gold.${metric.model} was not built yet`, {
      code: "PUBLISH_NOT_BUILT",
      value: metric.model,
      next: "Run `ingot build` first, or `ingot run`, which does all.",
    });
  }
  // A table has no order; the contract's key gives the one that consumers see.
  const { key } = model.contract;
  const order = key.length > 0 ? ` ORDER BY ${identifiers(key)}` : "";
  const rows = await lake.duckdb.rows(
    `SELECT * FROM (${await scanSql(table.store, scannable(snapshot))})${order}`,
  );
  const now = Date.now();
  const status = await target.publish({
    set: `${pipeline.name}/${metric.model}`,
    token: versionToken(snapshot.metadata.createdTime ?? 0, snapshot.version),
    version: snapshot.version,
    publishedAt: new Date(now).toISOString(),
    ...(metric.expiresAfter ? { expiresAt: new Date(now + metric.expiresAfter * 1000).toISOString() } : {}),
    rows,
  });
  return { metric: metric.model, status, rows: rows.length, version: snapshot.version };
}
