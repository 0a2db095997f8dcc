import { Command } from "commander";
import { type RollbackReport, rollback } from "../../layers/publish/publish.ts";
import { asRun } from "../observe/tracing-command.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { publishStep, type StepReport } from "../steps.ts";
import { jsonText } from "../terminal/json-text.ts";
import { summary } from "./step-command.ts";

interface Options extends GlobalOptions {
  /** Names of metrics; true for all. */
  readonly rollback?: readonly string[] | true;
}

export const publishCommand = () =>
  new Command("publish")
    .description("Publish the newest gold metrics to Redis, to files in the lake, or where their `to` says.")
    .argument("[pipeline]", "name of a pipeline; all of them by default")
    .option(
      "--rollback [metrics...]",
      "show the version before the current one again, of these or of all metrics",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  ingot publish\n  REDIS_URL=redis://localhost:6379 ingot publish commerce\n  ingot publish commerce --rollback daily_revenue",
    )
    .action(async (name: string | undefined, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      await withRuntime(options, (runtime) =>
        options.rollback === undefined
          ? publishAll(runtime, name, options)
          : rollbackAll(runtime, name, {
              ...options,
              metrics: options.rollback === true ? [] : options.rollback,
            }),
      );
    });

async function publishAll(runtime: Runtime, name: string | undefined, { json }: Options): Promise<void> {
  const reports: StepReport[] = [];
  await asRun(runtime, "publish", async (run) => {
    for (const pipeline of run.pipelines(name)) reports.push(await publishStep(run, pipeline));
  });
  runtime.endProgress();
  process.stdout.write(json ? `${jsonText({ steps: reports })}\n` : summary(reports));
}

async function rollbackAll(
  runtime: Runtime,
  name: string | undefined,
  { json, metrics }: Options & { readonly metrics: readonly string[] },
): Promise<void> {
  for (const pipeline of runtime.pipelines(name)) {
    const reports = await rollback(runtime.target, pipeline, metrics);
    process.stdout.write(
      json
        ? `${jsonText({ pipeline: pipeline.name, metrics: reports })}\n`
        : reports.map((report) => `${pipeline.name}: ${describe(report)}\n`).join(""),
    );
  }
}

function describe({ metric, target, version }: RollbackReport): string {
  const where = target === undefined ? metric : `${metric} at ${target}`;
  return version === undefined
    ? `${where} has no earlier version to go back to`
    : `${where} shows version ${version} again, until newer data is published`;
}
