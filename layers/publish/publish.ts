/** Publishing: the newest version of each gold table that the pipeline names goes to its targets. */

import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { codeOf, TerminalError } from "../../lakehouse/errors.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import type { ProgressListener } from "../../lakehouse/progress.ts";
import type { AnyContract } from "../../schemas/table.ts";
import { maskedSql } from "../contract/masked.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import type { PublishedMetric } from "../definition/published.ts";
import { preparePublication, setOf } from "./publication.ts";
import { SET_LOST } from "./set-lost.ts";
import { sourcePositions } from "./source-positions.ts";
import {
  type PublishOutcome,
  type PublishStatus,
  type PublishTarget,
  type VersionStamp,
  versionToken,
} from "./target.ts";

/** A target by its name in the configuration; without one, the installation's own. */
export type TargetByName = (name?: string) => Promise<PublishTarget>;

export interface PublishContext {
  readonly lake: Lake;
  readonly target: TargetByName;
  readonly onProgress: ProgressListener;
}

export interface PublishReport {
  readonly metric: string;
  /** Name of the target, where the metric names its targets. */
  readonly target?: string;
  readonly status: PublishStatus;
  readonly rows: number;
  /** Rows that were not there yet. */
  readonly written: number;
  readonly version: number;
}

/** How often a version is begun anew whose set is lost while it is published. */
const MOST_LOSSES = 5;

/**
 * Publishes every metric of a pipeline, in the order in which it names them, to each of its targets. What fails does
 * not keep the others from being published; the first failure is thrown at the end.
 */
export async function publish(
  context: PublishContext,
  pipeline: PipelineDefinition,
): Promise<PublishReport[]> {
  const reports: PublishReport[] = [];
  const failures: unknown[] = [];
  for (const metric of pipeline.publish ?? []) {
    for (const name of metric.to ?? [undefined]) {
      const task = `publish ${metric.name ?? metric.model}${name === undefined ? "" : ` to ${name}`}`;
      context.onProgress({ task, state: "running" });
      try {
        const report = await publishMetric(context, pipeline, metric, name);
        const state = report.status === "published" ? "done" : "skipped";
        const note = `${report.status}, version ${report.version}`;
        context.onProgress({ task, state, rows: report.rows, note });
        reports.push(report);
      } catch (error) {
        context.onProgress({ task, state: "failed" });
        failures.push(error);
      }
    }
  }
  if (failures.length > 0) throw failures[0];
  return reports;
}

async function publishMetric(
  { lake, target: targetByName }: PublishContext,
  pipeline: PipelineDefinition,
  metric: PublishedMetric,
  name: string | undefined,
): Promise<PublishReport> {
  const target = await targetByName(name);
  for (let losses = 0; ; losses++) {
    // Read anew each time: what was the newest when the set was lost may be older than what readers saw since.
    const snapshot = await builtSnapshot(lake, pipeline, metric);
    try {
      const { status, rows, written } = await publishVersion(lake, target, pipeline, metric, snapshot);
      const shown = metric.name ?? metric.model;
      const to = name === undefined ? {} : { target: name };
      return { metric: shown, ...to, status, rows, written, version: snapshot.version };
    } catch (error) {
      if (codeOf(error) !== SET_LOST || losses >= MOST_LOSSES) throw error;
    }
  }
}

async function builtSnapshot(
  lake: Lake,
  pipeline: PipelineDefinition,
  { model }: PublishedMetric,
): Promise<Snapshot> {
  if (pipeline.gold?.[model] === undefined) {
    throw new TerminalError(
      `pipeline ${pipeline.name} publishes ${model}, which is none of its gold models`,
      {
        code: "PUBLISH_UNKNOWN_MODEL",
        value: model,
        allowed: Object.keys(pipeline.gold ?? {}).join(", "),
      },
    );
  }
  const snapshot = await lake.table(`${pipeline.name}/gold/${model}`).snapshot();
  if (snapshot !== undefined) return snapshot;
  throw new TerminalError(`gold.${model} was not built yet`, {
    code: "PUBLISH_NOT_BUILT",
    value: model,
    next: "Run `ingot build` first, or `ingot run`, which does all.",
  });
}

/** Publishes one version of a gold table to one target. Rejects with `PUBLISH_SET_LOST` where it has to be begun anew. */
async function publishVersion(
  lake: Lake,
  target: PublishTarget,
  pipeline: PipelineDefinition,
  metric: PublishedMetric,
  snapshot: Snapshot,
): Promise<PublishOutcome> {
  const { model, expiresAfter } = metric;
  const { store } = lake.table(`${pipeline.name}/gold/${model}`);
  const now = Date.now();
  const stamp: VersionStamp = {
    set: setOf(pipeline.name, metric),
    token: versionToken(snapshot.metadata.createdTime ?? 0, snapshot.version),
    version: snapshot.version,
    publishedAt: new Date(now).toISOString(),
    ...(expiresAfter ? { expiresAt: new Date(now + expiresAfter * 1000).toISOString() } : {}),
    source: await sourcePositions(lake, pipeline.name, `gold.${model}`, snapshot),
  };
  const contract = shownContract(pipeline.gold?.[model]?.contract, snapshot);
  const scan = await scanSql(store, scannable(snapshot));
  const gold = {
    duckdb: lake.duckdb,
    scan: contract === undefined ? scan : maskedSql(scan, contract, await lake.id()),
    key: contract?.key ?? [],
  };
  const publication = await preparePublication(metric, gold, stamp);
  const hidden = hiddenColumns(contract);
  // What was published before its contract hid it is published again.
  const fingerprint = hidden.length === 0 ? "" : `.${JSON.stringify(hidden)}`;
  return target.publish({ ...publication, fingerprint: `${publication.fingerprint}${fingerprint}` });
}

/**
 * The contract for what is published of a version: the columns that it has. A key whose values are hidden behind one and
 * the same text tells no rows apart.
 */
function shownContract(contract: AnyContract | undefined, snapshot: Snapshot): AnyContract | undefined {
  if (contract === undefined) return undefined;
  const there = new Set(snapshot.schema.fields.map(({ name }) => name));
  const columns = Object.fromEntries(Object.entries(contract.columns).filter(([name]) => there.has(name)));
  const isKey = contract.key.every((name) => columns[name]?.sensitivity !== "mask");
  return { ...contract, columns, key: isKey ? contract.key : [] };
}

const hiddenColumns = (contract: AnyContract | undefined) =>
  Object.entries(contract?.columns ?? {}).flatMap(([name, { sensitivity }]) =>
    sensitivity === undefined ? [] : [[name, sensitivity]],
  );

export interface RollbackReport {
  readonly metric: string;
  readonly target?: string;
  /** The version that is shown again; absent where there is none to go back to. */
  readonly version?: number;
}

/** Shows the version before the current one again, of the metrics named or of all, at each of their targets. */
export async function rollback(
  target: TargetByName,
  pipeline: PipelineDefinition,
  metrics: readonly string[] = [],
): Promise<RollbackReport[]> {
  const published = pipeline.publish ?? [];
  const nameOf = ({ name, model }: PublishedMetric) => name ?? model;
  const unknown = metrics.find((name) => !published.some((metric) => nameOf(metric) === name));
  if (unknown !== undefined) {
    throw new TerminalError(`pipeline ${pipeline.name} does not publish ${unknown}`, {
      code: "PUBLISH_UNKNOWN_METRIC",
      value: unknown,
      allowed: published.map(nameOf).join(", "),
    });
  }
  const reports: RollbackReport[] = [];
  for (const metric of published) {
    if (metrics.length > 0 && !metrics.includes(nameOf(metric))) continue;
    for (const name of metric.to ?? [undefined]) {
      const shown = await (await target(name)).rollback(setOf(pipeline.name, metric));
      const version = shown === undefined ? {} : { version: shown.version };
      reports.push({ metric: nameOf(metric), ...(name === undefined ? {} : { target: name }), ...version });
    }
  }
  return reports;
}
