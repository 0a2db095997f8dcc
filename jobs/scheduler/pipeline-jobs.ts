/** The schedules of pipelines as jobs: their work is the steps that commands run, on a lake that asks before it writes. */

import { Lake } from "../../lakehouse/lake.ts";
import { guardedStore } from "../../lakehouse/lease/guarded-store.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { follow } from "../../layers/bronze/follow.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import type { Schedule, ScheduleStep } from "../../layers/definition/schedule.ts";
import type { RunContext, Runtime } from "../runtime.ts";
import {
  type BuiltStep,
  publishBuilt,
  publishStep,
  type StepReport,
  syncStep,
  tryBuildStep,
} from "../steps.ts";
import type { Attempt, Following, Job } from "./job.ts";

const STEPS: readonly ScheduleStep[] = ["sync", "build", "publish"];

/** All schedules of these pipelines. */
export function pipelineJobs(
  runtime: Runtime,
  pipelines: readonly PipelineDefinition[],
): { readonly pipeline: PipelineDefinition; readonly job: Job }[] {
  return pipelines.flatMap((pipeline) => {
    const jobs = new Map<string, Job>();
    const { schedules = {} } = pipeline;
    const jobOf = (name: string): Job => {
      const known = jobs.get(name);
      if (known !== undefined) return known;
      const schedule = schedules[name] ?? {};
      const job = pipelineJob(runtime, pipeline, name, schedule, (schedule.after ?? []).map(jobOf));
      jobs.set(name, job);
      return job;
    };
    return Object.keys(schedules).map((name) => ({ pipeline, job: jobOf(name) }));
  });
}

function pipelineJob(
  runtime: Runtime,
  pipeline: PipelineDefinition,
  schedule: string,
  definition: Schedule,
  after: readonly Job[],
): Job {
  const { run, steps, follow: followed } = definition;
  const follows = followed !== undefined;
  const chosen = steps ?? STEPS;
  const job: Job = {
    name: `${pipeline.name}.${schedule}`,
    schedule: definition,
    after,
    work: (attempt) =>
      run === undefined
        ? // A stream that is followed needs no sync beside it, and has no slot for it.
          runChosen(
            { ...guarded(runtime, attempt.check), run: runContext(runtime, attempt) },
            pipeline,
            follows ? without(chosen, "sync") : chosen,
            attempt,
          )
        : run(scheduledRun(runtime, attempt)),
  };
  return follows ? { ...job, follow: (following) => followPipeline(runtime, pipeline, following) } : job;
}

const without = (steps: readonly ScheduleStep[], step: ScheduleStep) =>
  steps.filter((other) => other !== step);

/** Journals, audits and traces have the id that the run has in logs and records. */
function runContext({ tracing }: Runtime, { runId, attempt }: Attempt): RunContext {
  const span = tracing?.runs.get(runId);
  return span === undefined ? { id: runId, attempt } : { id: runId, attempt, span };
}

/** Where a model failed, what does not depend on it is published, and the failure is thrown after. */
async function runChosen(
  runtime: Runtime,
  pipeline: PipelineDefinition,
  steps: readonly ScheduleStep[],
  { check, onStep }: Pick<Attempt, "check" | "onStep">,
): Promise<StepReport[]> {
  const reports: StepReport[] = [];
  const ended = (report: StepReport) => {
    reports.push(report);
    onStep(report);
  };
  let built: BuiltStep | undefined;
  for (const step of steps) {
    check();
    if (step === "sync") ended(await syncStep(runtime, pipeline));
    if (step === "publish")
      ended(await (built ? publishBuilt(runtime, pipeline, built) : publishStep(runtime, pipeline)));
    if (step !== "build") continue;
    built = await tryBuildStep(runtime, pipeline);
    ended(built.report);
  }
  if (built?.error !== undefined) throw built.error;
  return reports;
}

function scheduledRun(runtime: Runtime, { due, check, onStep: _, ...attempt }: Attempt) {
  const { lake, database, onProgress } = guarded(runtime, check);
  return { ...attempt, due: new Date(due), lake, database: () => database(), onProgress };
}

async function followPipeline(
  runtime: Runtime,
  pipeline: PipelineDefinition,
  { signal, check, onBatch, onCaughtUp, onLost }: Following,
): Promise<void> {
  const { lake, config, onProgress, ...rest } = guarded(runtime, check);
  const connectionString = await rest.database();
  const context = { lake, connectionString, concurrency: config.concurrency, onProgress };
  const onRows = (rows: number) => {
    if (rows > 0) onBatch(rows);
  };
  await follow(context, pipeline, {
    signal,
    onCommitted: ({ rows }) => onRows(rows),
    onRetry: onLost,
    onFollowing: (caughtUp) => {
      onRows(caughtUp.reduce((sum, { rows }) => sum + rows, 0));
      onCaughtUp();
    },
  });
}

/** The runtime over a lake that changes nothing once `check` refuses. */
function guarded(runtime: Runtime, check: () => void): Runtime {
  const { lake } = runtime;
  const open = async (address: string) => (await lake.other(address)).store;
  return {
    ...runtime,
    lake: new Lake(guardedStore(lake.store, check), lake.duckdb, { open }),
    onProgress: ignoreProgress,
  };
}
