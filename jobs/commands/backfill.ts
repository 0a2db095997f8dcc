import { Command } from "commander";
import { TerminalError } from "../../lakehouse/errors.ts";
import { type BackfillReport, prepareBackfill } from "../../layers/backfill/backfill.ts";
import { recordRun } from "../../layers/journal.ts";
import { type NamedTable, namedTable } from "../named-table.ts";
import { asRun, noteBackfill } from "../observe/tracing-command.ts";
import { type Runtime, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { backfillBronze } from "./backfill/bronze.ts";
import { atOnce, type BackfillOptions, mayGoOn, pauseSeconds, requestOf } from "./backfill/options.ts";
import { renderPlan, renderReport } from "./backfill/render.ts";
import { positiveNumber } from "./number-options.ts";

const HELP = `
A model's range is made from the versions of its inputs that its table was made from, so that builds go on as if nothing
had been; they may run meanwhile. Of a bronze table the rows of the range are read from the source again, and those
that differ are appended. Interrupted, the same command goes on where it was.

Examples:
  ingot backfill gold.daily_sales --from 2026-01-01 --to 2026-02-01 --dry-run
  ingot backfill gold.daily_sales --from 2026-01-01 --to 2026-02-01 --chunk 1mo --yes
  ingot backfill silver.orders --column created_at --from 2026-01-01T12:00 --to 2026-01-02
  ingot backfill bronze.orders --column created_at --from 2026-01-01 --to 2026-02-01 --yes
  ingot backfill bronze.orders --column id --from 1 --to 9000000 --chunk 1000000 --concurrency 4 --max-mb-per-second 20 --pause 2s --yes`;

export const backfillCommand = () =>
  new Command("backfill")
    .description("Make a range of a model again, or read a range of a bronze table again, beside live runs.")
    .argument("<table>", "layer.table, or pipeline.layer.table")
    .requiredOption("--from <value>", "first value of the range; times are UTC unless they say a zone")
    .requiredOption("--to <value>", "first value behind the range")
    .option("--column <name>", "column that the range is of; by default the time of the key")
    .option("--chunk <size>", "so much at once: 7d, 1mo (min h d w mo y), or a number")
    .option(
      "--concurrency <n>",
      "so much side by side: chunks of a model, statements that read bronze's source",
      atOnce,
    )
    .option(
      "--pause <time>",
      "rest after each chunk, such as 2s: others get the machine, or the source",
      pauseSeconds,
    )
    .option("--max-mb-per-second <n>", "of a bronze table: read no more from the source", positiveNumber)
    .option("--dry-run", "say what would be done")
    .option("-y, --yes", "do not ask")
    .option("--anew", "begin with the first chunk, whatever an interrupted run has done")
    .option("--accept", "go on with a table that a former SQL made; only the range gets the present one")
    .addHelpText("after", HELP)
    .action(async (name: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<BackfillOptions>();
      await withRuntime(options, async (runtime) => {
        const table = namedTable(runtime.pipelines(), name);
        await (table.reference.startsWith("bronze.") ? backfillBronze : backfillModel)(
          runtime,
          table,
          options,
        );
      });
    });

async function backfillModel(runtime: Runtime, table: NamedTable, options: BackfillOptions): Promise<void> {
  const { lake, onProgress } = runtime;
  const { pipeline, reference } = table;
  if (options.maxMbPerSecond !== undefined) throw noSource(reference);
  const request = requestOf(reference, options);
  const planned = await prepareBackfill({ lake, onProgress }, pipeline, request);
  const { plan } = planned;
  if (options.dryRun && options.json) {
    process.stdout.write(`${jsonText({ pipeline: pipeline.name, plan })}\n`);
    return;
  }
  if (!options.json) process.stdout.write(renderPlan(pipeline.name, plan, options));
  if (options.dryRun || !(await mayGoOn(options))) return;
  const startedAt = Date.now();
  const report = await asRun(runtime, "backfill", async ({ run }) => {
    const made = await planned.run();
    runtime.endProgress();
    await record(runtime, pipeline.name, { report: made, runId: run.id, startedAt });
    noteBackfill(run, pipeline.name, reference, made);
    return made;
  });
  const durationMs = Date.now() - startedAt;
  process.stdout.write(
    options.json
      ? `${jsonText({ pipeline: pipeline.name, plan, report: { ...report, durationMs } })}\n`
      : renderReport(pipeline.name, report, durationMs),
  );
}

const noSource = (reference: string) =>
  new TerminalError(
    `${reference} is made of tables of the lake: --max-mb-per-second is for what the source sends`,
    {
      code: "BACKFILL_LIMIT",
      value: reference,
      allowed: "bronze tables",
      next: "Say --pause, and a smaller --chunk, where a backfill of a model takes too much of the machine.",
    },
  );

function record(
  runtime: Runtime,
  pipeline: string,
  {
    report,
    runId,
    startedAt,
  }: { readonly report: BackfillReport; readonly runId: string; readonly startedAt: number },
): Promise<void> {
  const { model, rowsIn, rowsOut, bytes, version } = report;
  const status = rowsOut === 0 ? "unchanged" : "incremental";
  const entries = [{ task: model, status, rowsIn, rowsOut, bytes, version }];
  return recordRun(runtime.lake, pipeline, {
    id: runId,
    command: "backfill",
    startedAt,
    endedAt: Date.now(),
    entries,
  });
}
