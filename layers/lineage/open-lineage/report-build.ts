/** Watches a build and reports it as OpenLineage events. */
import { randomUUID } from "node:crypto";
import { messageOf } from "../../../lakehouse/errors.ts";
import type { Lake } from "../../../lakehouse/lake.ts";
import type { ProgressEvent, ProgressListener } from "../../../lakehouse/progress.ts";
import { maskSecrets } from "../../../lakehouse/secrets.ts";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import type { BuildReport } from "../../models/build.ts";
import { contractSchema } from "../../models/contract.ts";
import { lineageOf } from "../read-lineage.ts";
import { type BuildRun, type ModelRunReport, openLineageEvents } from "./events.ts";
import { type EventTarget, sendEvents } from "./send-events.ts";

interface ReportContext {
  readonly lake: Lake;
  /** Root of the lake as it was configured, absolute where it is a folder. */
  readonly lakeRoot: string;
  /** Folder of the configuration. */
  readonly folder: string;
  /** Absent where nothing is to be reported. */
  readonly openLineage: (EventTarget & { readonly namespace: string }) | undefined;
  readonly onProgress: ProgressListener;
}

/** When a model ran, by its progress. */
interface Seen {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly state: ProgressEvent["state"];
  /** What it wrote, as far as it said. */
  readonly rows: number;
  readonly bytes: number;
  /** What was said last: of a model that failed, why. */
  readonly note: string | undefined;
}

/**
 * Runs a build and reports what became of each model that ran, also where the build fails. A report that cannot be
 * made or delivered is a warning among the progress, and never a failure.
 */
export async function reportBuild(
  context: ReportContext,
  pipeline: PipelineDefinition,
  build: (onProgress: ProgressListener) => Promise<BuildReport[]>,
): Promise<BuildReport[]> {
  const { openLineage, onProgress } = context;
  if (openLineage?.url === undefined && openLineage?.file === undefined) return build(onProgress);
  const seen = new Map<string, Seen>();
  const watch: ProgressListener = (event) => {
    onProgress(event);
    const { task, state, rows = 0, bytes = 0, note } = event;
    const endedAt = Date.now();
    const startedAt = seen.get(task)?.startedAt ?? endedAt;
    seen.set(task, { startedAt, endedAt, state, rows, bytes, note });
  };
  const report = async (reports: readonly BuildReport[], failure?: unknown) => {
    if (seen.size === 0) return;
    try {
      const run = await buildRun(context, openLineage.namespace, pipeline, seen, reports, failure);
      if (run.models.length > 0) await sendEvents(openLineage, context.folder, openLineageEvents(run));
    } catch (error) {
      onProgress({ task: "openlineage", state: "failed", note: `warning: ${maskSecrets(messageOf(error))}` });
    }
  };
  let reports: BuildReport[];
  try {
    reports = await build(watch);
  } catch (error) {
    await report([], error);
    throw error;
  }
  await report(reports);
  return reports;
}

async function buildRun(
  { lake, lakeRoot }: ReportContext,
  namespace: string,
  pipeline: PipelineDefinition,
  seen: ReadonlyMap<string, Seen>,
  reports: readonly BuildReport[],
  failure: unknown,
): Promise<BuildRun> {
  const { models, lineage } = await lineageOf(lake, pipeline);
  const ran: ModelRunReport[] = [];
  for (const { name, sql, contract, references } of models) {
    const times = seen.get(name);
    if (times === undefined || (times.state !== "done" && times.state !== "failed")) continue;
    const written = reports.find(({ model }) => model === name);
    // Where the build failed there are no reports of the models that were done.
    const { rowsOut = times.rows, bytes = times.bytes, version } = written ?? {};
    ran.push({
      model: name,
      sql: maskSecrets(sql),
      description: contract.description,
      schema: contractSchema(contract),
      inputs: references,
      lineage: lineage.models.get(name),
      startedAt: times.startedAt,
      endedAt: times.endedAt,
      outcome:
        times.state === "failed"
          ? { status: "failed", message: maskSecrets(times.note ?? messageOf(failure)) }
          : { status: "done", rows: rowsOut, bytes, ...(version === undefined ? {} : { version }) },
    });
  }
  return { id: randomUUID(), pipeline: pipeline.name, namespace, lakeRoot, models: ran };
}
