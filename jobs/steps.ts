/** The steps of a pipeline, as commands run them: each records itself in the journal. */
import { randomUUID } from "node:crypto";
import { codeOf, messageOf } from "../lakehouse/errors.ts";
import type { ProgressListener } from "../lakehouse/progress.ts";
import { retrying } from "../lakehouse/retry.ts";
import { maskSecrets } from "../lakehouse/secrets.ts";
import { outrun } from "../layers/bronze/commit-outcome.ts";
import { type IngestReport, type LoadOptions, load } from "../layers/bronze/ingest.ts";
import { keepUp } from "../layers/bronze/keep-up.ts";
import { PATIENCE } from "../layers/bronze/sync-beside.ts";
import type { PipelineDefinition } from "../layers/definition/pipeline.ts";
import { type JournalEntry, recordRun } from "../layers/journal.ts";
import { reportBuild } from "../layers/lineage/open-lineage/report-build.ts";
import { recordAudits } from "../layers/models/audit/audit-log.ts";
import type { AuditResult } from "../layers/models/audit/audit-result.ts";
import type { BuildContext } from "../layers/models/build.ts";
import { buildBeside } from "../layers/models/build-beside.ts";
import { type BuildOutcome, type BuildReport, buildError } from "../layers/models/build-outcome.ts";
import { type PublishReport, publish } from "../layers/publish/publish.ts";
import { tracedStep } from "./observe/tracing-steps.ts";
import type { Runtime } from "./runtime.ts";

/** What a step did, as `--json` prints it. */
export interface StepReport {
  readonly pipeline: string;
  readonly step: "load" | "sync" | "build" | "publish";
  readonly durationMs: number;
  /** Rows that were new to the step. */
  readonly rows: number;
  readonly tables: readonly (IngestReport | BuildReport | PublishReport)[];
  /** Models that failed, and those that were not run as one that they read did; absent where there are none. */
  readonly failed?: readonly FailedModel[];
}

interface FailedModel {
  readonly model: string;
  readonly status: "failed" | "blocked";
  readonly reason: string;
  readonly code?: string | undefined;
  readonly audits?: readonly AuditResult[];
}

export const loadStep = (runtime: Runtime, pipeline: PipelineDefinition, options: LoadOptions = {}) =>
  ingest(runtime, pipeline, "load", options);
export const syncStep = (runtime: Runtime, pipeline: PipelineDefinition) => ingest(runtime, pipeline, "sync");

async function ingest(
  runtime: Runtime,
  pipeline: PipelineDefinition,
  step: "load" | "sync",
  options: LoadOptions = {},
): Promise<StepReport> {
  const { lake, config } = runtime;
  const connectionString = await runtime.database();
  return recorded(runtime, pipeline, step, async ({ onProgress }) => {
    const context = { lake, connectionString, concurrency: config.concurrency, onProgress };
    const tables = await (step === "load"
      ? retrying(() => load(context, pipeline, options), { codesOf: outrun })
      : keepUp(context, pipeline, { patience: PATIENCE }));
    const entries = tables.map((t) => entry(t.table, t.status, t.rows, t.rows, t.bytes, t.version));
    return { tables, entries };
  });
}

/** A build that may have failed in part. */
export interface BuiltStep {
  readonly report: StepReport;
  /** What went wrong; undefined where nothing did. */
  readonly error: unknown;
}

/** Builds what can be built, and records all that became of it. */
export async function tryBuildStep(
  runtime: Runtime,
  pipeline: PipelineDefinition,
  options: Pick<BuildContext, "anew" | "select"> = {},
): Promise<BuiltStep> {
  const { lake, lakeRoot, folder, config } = runtime;
  let error: unknown;
  const report = await recorded(runtime, pipeline, "build", async ({ runId, onProgress }) => {
    const context = { lake, lakeRoot, folder, openLineage: config.openLineage, onProgress };
    let outcome: BuildOutcome | undefined;
    try {
      await reportBuild(context, pipeline, async (watched) => {
        const settings = { lake, concurrency: config.concurrency, onProgress: watched, ...options };
        outcome = await buildBeside(settings, pipeline);
        error = buildError(outcome);
        if (error !== undefined) throw error;
        return [...outcome.reports];
      });
    } catch (thrown) {
      if (outcome === undefined) throw thrown;
    }
    if (outcome === undefined) throw new RangeError("a build was not run");
    await recordAudits(lake, pipeline.name, runId, outcome, new Date());
    return { tables: outcome.reports, failed: failedModels(outcome), entries: buildEntries(outcome) };
  });
  return { report, error };
}

/** As `tryBuildStep`; throws what went wrong. */
export async function buildStep(
  runtime: Runtime,
  pipeline: PipelineDefinition,
  options: Pick<BuildContext, "anew" | "select"> = {},
): Promise<StepReport> {
  const { report, error } = await tryBuildStep(runtime, pipeline, options);
  if (error !== undefined) throw error;
  return report;
}

function failedModels({ failures, blocked }: BuildOutcome): FailedModel[] {
  return [
    ...failures.map(({ model, error, audits }) => {
      const reason = maskSecrets(messageOf(error));
      return { model, status: "failed" as const, reason, code: codeOf(error), audits };
    }),
    ...blocked.map(({ model, by }) => ({ model, status: "blocked" as const, reason: `blocked by ${by}` })),
  ];
}

function buildEntries({ models, reports, failures, blocked }: BuildOutcome): JournalEntry[] {
  const none = { rowsIn: 0, rowsOut: 0, bytes: 0 };
  const byName = new Map(models.map((model) => [model.name, model]));
  return [
    ...reports.map(({ model: name, audits: _, ...report }): JournalEntry => {
      const { fingerprint = "", sql = "" } = byName.get(name) ?? {};
      const made = report.status === "rebuilt" ? { sql } : {};
      return { task: name, ...report, fingerprint, ...made };
    }),
    ...failures.map(({ model, error, version }) => {
      const reason = [codeOf(error) ?? [], messageOf(error)].flat().join(": ");
      return { task: model, status: "failed", ...none, version, reason };
    }),
    ...blocked.map(({ model, by }) => {
      return { task: model, status: "blocked", ...none, version: undefined, reason: `blocked by ${by}` };
    }),
  ];
}

export async function publishStep(runtime: Runtime, pipeline: PipelineDefinition): Promise<StepReport> {
  const { lake, target } = runtime;
  return recorded(runtime, pipeline, "publish", async ({ onProgress }) => {
    const tables = await publish({ lake, target, onProgress }, pipeline);
    const entries = tables.map((t) =>
      entry(`publish ${t.metric}`, t.status, t.rows, t.written, 0, t.version),
    );
    return { tables, entries };
  });
}

/**
 * Publishes after a build what it could build. Metrics of models that failed, or were blocked, stay as they are and
 * grow old: published again they would look fresh. What the build failed of is thrown after.
 */
export async function publishBuilt(
  runtime: Runtime,
  pipeline: PipelineDefinition,
  { report, error }: BuiltStep,
): Promise<StepReport> {
  const failed = new Set(report.failed?.map(({ model }) => model));
  const built = (pipeline.publish ?? []).filter(({ model }) => !failed.has(`gold.${model}`));
  const published = await publishStep(runtime, { ...pipeline, publish: built }).catch((failure: unknown) => {
    // What went wrong first is what has to be mended first.
    throw error ?? failure;
  });
  if (error !== undefined) throw error;
  return published;
}

/** Sync, build, publish. Where a model failed, what does not depend on it is published, and the failure is thrown after. */
export async function runSteps(runtime: Runtime, pipeline: PipelineDefinition): Promise<StepReport[]> {
  const synced = await syncStep(runtime, pipeline);
  const built = await tryBuildStep(runtime, pipeline);
  return [synced, built.report, await publishBuilt(runtime, pipeline, built)];
}

function entry(
  task: string,
  status: string,
  rowsIn: number,
  rowsOut: number,
  bytes: number,
  version: number,
): JournalEntry {
  return { task, status, rowsIn, rowsOut, bytes, version };
}

/** What work of a step is given. */
interface StepWork {
  readonly runId: string;
  readonly onProgress: ProgressListener;
}

async function recorded(
  { lake, run, onProgress }: Runtime,
  { name: pipeline }: PipelineDefinition,
  step: StepReport["step"],
  work: (
    given: StepWork,
  ) => Promise<Pick<StepReport, "tables" | "failed"> & { readonly entries: readonly JournalEntry[] }>,
): Promise<StepReport> {
  const startedAt = Date.now();
  const { id = randomUUID(), attempt, span: parent } = run ?? {};
  const about = { pipeline, step, attempt };
  const {
    tables,
    entries,
    failed = [],
  } = await tracedStep({ parent, onProgress }, about, (watched) => work({ runId: id, onProgress: watched }));
  const endedAt = Date.now();
  await recordRun(lake, pipeline, { id, command: step, startedAt, endedAt, entries });
  const rows = entries.reduce((sum, e) => sum + (step === "publish" ? e.rowsOut : e.rowsIn), 0);
  const report = { pipeline, step, durationMs: endedAt - startedAt, rows, tables };
  return failed.length === 0 ? report : { ...report, failed };
}
