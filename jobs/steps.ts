/** The steps of a pipeline, as commands run them: each records itself in the journal. */
import { randomUUID } from "node:crypto";
import { type IngestReport, type LoadOptions, load } from "../layers/bronze/ingest.ts";
import { keepUp } from "../layers/bronze/keep-up.ts";
import type { PipelineDefinition } from "../layers/definition/pipeline.ts";
import { type JournalEntry, recordRun } from "../layers/journal.ts";
import { reportBuild } from "../layers/lineage/open-lineage/report-build.ts";
import { type BuildContext, type BuildReport, build } from "../layers/models/build.ts";
import { type PublishReport, publish } from "../layers/publish/publish.ts";
import type { Runtime } from "./runtime.ts";

/** Milliseconds to wait for a replication slot that another run reads, or one that was killed has not let go of yet. */
const SLOT_PATIENCE = 30_000;

/** What a step did, as `--json` prints it. */
export interface StepReport {
  readonly pipeline: string;
  readonly step: "load" | "sync" | "build" | "publish";
  readonly durationMs: number;
  /** Rows that were new to the step. */
  readonly rows: number;
  readonly tables: readonly (IngestReport | BuildReport | PublishReport)[];
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
  const { lake, config, onProgress } = runtime;
  const connectionString = await runtime.database();
  return recorded(runtime, pipeline, step, async () => {
    const context = { lake, connectionString, concurrency: config.concurrency, onProgress };
    const tables = await (step === "load"
      ? load(context, pipeline, options)
      : keepUp(context, pipeline, { patience: SLOT_PATIENCE }));
    const entries = tables.map((t) => entry(t.table, t.status, t.rows, t.rows, t.bytes, t.version));
    return { tables, entries };
  });
}

export function buildStep(
  runtime: Runtime,
  pipeline: PipelineDefinition,
  options: Pick<BuildContext, "anew" | "select"> = {},
): Promise<StepReport> {
  const { lake, lakeRoot, folder, config, onProgress } = runtime;
  return recorded(runtime, pipeline, "build", async () => {
    const context = { lake, lakeRoot, folder, openLineage: config.openLineage, onProgress };
    const tables = await reportBuild(context, pipeline, (watched) =>
      build({ lake, concurrency: config.concurrency, onProgress: watched, ...options }, pipeline),
    );
    const entries = tables.map((t) => entry(t.model, t.status, t.rowsIn, t.rowsOut, t.bytes, t.version));
    return { tables, entries };
  });
}

export async function publishStep(runtime: Runtime, pipeline: PipelineDefinition): Promise<StepReport> {
  const { lake, onProgress } = runtime;
  const target = await runtime.target();
  return recorded(runtime, pipeline, "publish", async () => {
    const tables = await publish({ lake, target, onProgress }, pipeline);
    const entries = tables.map((t) => entry(`publish ${t.metric}`, t.status, t.rows, t.rows, 0, t.version));
    return { tables, entries };
  });
}

/** Sync, build, publish. */
export async function runSteps(runtime: Runtime, pipeline: PipelineDefinition): Promise<StepReport[]> {
  return [
    await syncStep(runtime, pipeline),
    await buildStep(runtime, pipeline),
    await publishStep(runtime, pipeline),
  ];
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

async function recorded(
  runtime: Runtime,
  pipeline: PipelineDefinition,
  step: StepReport["step"],
  work: () => Promise<{ tables: StepReport["tables"]; entries: JournalEntry[] }>,
): Promise<StepReport> {
  const startedAt = Date.now();
  const { tables, entries } = await work();
  const endedAt = Date.now();
  await recordRun(runtime.lake, pipeline.name, {
    id: randomUUID(),
    command: step,
    startedAt,
    endedAt,
    entries,
  });
  const rows = entries.reduce((sum, e) => sum + e.rowsIn, 0);
  return { pipeline: pipeline.name, step, durationMs: endedAt - startedAt, rows, tables };
}
