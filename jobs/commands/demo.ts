import { join } from "node:path";
import { Command } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { RedisTarget } from "../../layers/publish/redis.ts";
import type { PublishTarget } from "../../layers/publish/target.ts";
import { interruption, onCleanup } from "../cleanup.ts";
import { findRedisServer, startRedis } from "../embedded/redis.ts";
import { type GlobalOptions, type Runtime, withRuntime } from "../runtime.ts";
import { readMetrics, renderMetric } from "../show-metrics.ts";
import { buildStep, loadStep, publishStep, type StepReport, syncStep } from "../steps.ts";
import { formatDuration, groupDigits } from "../terminal/numbers.ts";
import { styleFor } from "../terminal/style.ts";
import { terminalWidth } from "../terminal/terminal-size.ts";

import { positiveNumber } from "./number-options.ts";
import { describeChanges } from "./simulate.ts";
import { summary } from "./step-command.ts";

/** Journeys of the burst of changes: about a busy day of the shop. */
const BURST = 500;

export const demoCommand = () =>
  new Command("demo")
    .description("See it all in a minute: a database, its load, metrics, changes, and what they cost.")
    .argument("[pipeline]", "name of the pipeline", "commerce")
    .option("--scale <factor>", "size of the shop; 1 is a quarter of a million carts", positiveNumber, 1)
    .addHelpText(
      "after",
      "\nExamples:\n  ingot demo\n  ingot demo --scale 0.1\n\nIt leaves nothing running. Run it again: it goes on where it was.",
    )
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions & { scale: number }>();
      await withRuntime(options, async (runtime) => {
        const [pipeline] = runtime.pipelines(name);
        if (pipeline) await withTarget(runtime, (own) => demonstrate(own, pipeline, options.scale));
      });
    });

/** Where no Redis is configured but the machine has the program, the demo publishes to one of its own. */
async function withTarget(runtime: Runtime, work: (runtime: Runtime) => Promise<void>): Promise<void> {
  const binary = runtime.config.redis === undefined ? await findRedisServer() : undefined;
  if (binary === undefined) return work(runtime);
  const starting = startRedis({ folder: join(runtime.folder, ".ingot", "redis"), binary });
  const stop = onCleanup(() =>
    starting.then(
      (redis) => redis.stop(),
      () => {},
    ),
  );
  try {
    const target = await RedisTarget.connect((await starting).url);
    try {
      await work({ ...runtime, target: async () => target });
    } finally {
      await target.close();
    }
  } finally {
    await stop();
  }
}

async function demonstrate(runtime: Runtime, pipeline: PipelineDefinition, scale: number): Promise<void> {
  if (pipeline.bootstrap === undefined || pipeline.simulate === undefined) {
    throw new TerminalError(`pipeline ${pipeline.name} has nothing to demonstrate with`, {
      code: "PIPELINE_NO_DEMO",
      value: pipeline.name,
      next: "Give it a bootstrap and a simulate function, or use commerce.",
    });
  }
  const started = performance.now();
  const target = await runtime.target();
  const { onProgress } = runtime;

  heading(runtime, 1, "A shop's database");
  const connectionString = await runtime.database();
  const context = { connectionString, signal: interruption.signal, onProgress };
  await pipeline.bootstrap(context, { scale });
  say(runtime, `the database is up and filled, ${formatDuration(performance.now() - started)}`);

  heading(runtime, 2, "Its history into bronze, silver and gold, and the metrics out");
  const loading = performance.now();
  const first = await firstFigure(runtime, pipeline, target);
  say(runtime, `first figure published ${formatDuration(first - loading)} after the start of the load`);

  heading(runtime, 3, `Meanwhile in the shop: ${BURST.toLocaleString("en-US")} more journeys`);
  const seed = Math.floor(Date.now() / 1000) % 2 ** 31;
  const changes = await pipeline.simulate(context, { rate: 0, journeys: BURST, seed });
  runtime.endProgress();
  process.stdout.write(describeChanges(changes));

  heading(runtime, 4, "An incremental run: only what changed");
  const synced = await syncStep(runtime, pipeline);
  const reports = [synced, await buildStep(runtime, pipeline), await publishStep(runtime, pipeline)];
  runtime.endProgress();
  process.stdout.write(summary(reports));
  say(runtime, describeChange(pipeline, synced));

  heading(runtime, 5, `The metrics, as consumers read them from ${target.name}`);
  const width = terminalWidth(process.stdout, 100);
  const shown = await readMetrics(target, pipeline);
  process.stdout.write(`${shown.map((metric) => renderMetric(metric, width)).join("\n")}`);
  farewell(runtime, pipeline, performance.now() - started);
}

/** Load, build, publish; answers when the first metric was there to be read. */
async function firstFigure(
  runtime: Runtime,
  pipeline: PipelineDefinition,
  target: PublishTarget,
): Promise<number> {
  const reports = [await loadStep(runtime, pipeline), await buildStep(runtime, pipeline)];
  let first: number | undefined;
  const watched: Runtime = {
    ...runtime,
    onProgress: (event) => {
      if (event.state === "done" || event.state === "skipped") first ??= performance.now();
      runtime.onProgress(event);
    },
  };
  reports.push(await publishStep({ ...watched, target: async () => target }, pipeline));
  runtime.endProgress();
  process.stdout.write(summary(reports));
  return first ?? performance.now();
}

/** How many changes arrived, and the deletions among them, which rows that are new would not show. */
function describeChange({ source }: PipelineDefinition, { rows, tables }: StepReport): string {
  const where = source.changes === "wal" ? "captured from the database's log (WAL)" : "found by query";
  const deletions = tables.flatMap((report) =>
    "deleted" in report && report.deleted > 0
      ? [`${groupDigits(report.deleted)} in ${report.table.replace("bronze.", "")}`]
      : [],
  );
  const among = deletions.length > 0 ? `; deletions among them: ${deletions.join(", ")}` : "";
  return `${groupDigits(rows)} changes ${where}${among}`;
}

function heading(runtime: Runtime, step: number, text: string): void {
  runtime.endProgress();
  const style = styleFor();
  process.stdout.write(`\n${style.bold(style.cyan(`${step}. ${text}`))}\n`);
}

function say(runtime: Runtime, text: string): void {
  runtime.endProgress();
  process.stdout.write(`${styleFor().green(text)}\n`);
}

function farewell(runtime: Runtime, pipeline: PipelineDefinition, elapsed: number): void {
  const style = styleFor();
  const tries = [
    ["npm run ingot -- status", "every table: rows, version, age, position"],
    ['npm run ingot -- sql "FROM gold.daily_revenue LIMIT 5"', "any SQL over the lake; without it, a prompt"],
    [`npm run ingot -- simulate ${pipeline.name} --rate 50`, "go on shopping; then, in another terminal:"],
    ["npm run ingot -- run", "sync, build and publish what is new"],
    [`npm run ingot -- table history lake/${pipeline.name}/silver/orders`, "the commits of a table"],
    ["npm run ingot -- metrics", "the published metrics again"],
  ];
  const width = Math.max(...tries.map(([line = ""]) => line.length));
  const lines = tries.map(([line = "", why = ""]) => `  ${line.padEnd(width)}  ${style.dim(why)}`);
  process.stdout.write(
    `\n${style.bold(`Done in ${formatDuration(elapsed)}; nothing is left running.`)} The lake is ${runtime.lakeRoot}. What to try next:\n${lines.join("\n")}\n`,
  );
}
