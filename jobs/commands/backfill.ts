import { randomUUID } from "node:crypto";
import { Command } from "commander";
import { type BackfillReport, prepareBackfill } from "../../layers/backfill/backfill.ts";
import { recordRun } from "../../layers/journal.ts";
import { type NamedTable, namedTable } from "../named-table.ts";
import { type Runtime, withRuntime } from "../runtime.ts";
import { jsonText } from "../terminal/json-text.ts";
import { backfillBronze } from "./backfill/bronze.ts";
import { type BackfillOptions, mayGoOn } from "./backfill/options.ts";
import { renderPlan, renderReport } from "./backfill/render.ts";

const HELP = `
A model's range is made from the versions of its inputs that its table was made from, so that builds go on as if nothing
had been; they may run meanwhile. Of a bronze table the rows of the range are read from the source again, and those
that differ are appended. Interrupted, the same command goes on where it was.

Examples:
  ingot backfill gold.daily_sales --from 2026-01-01 --to 2026-02-01 --dry-run
  ingot backfill gold.daily_sales --from 2026-01-01 --to 2026-02-01 --chunk 1mo --yes
  ingot backfill silver.orders --column created_at --from 2026-01-01T12:00 --to 2026-01-02
  ingot backfill bronze.orders --column created_at --from 2026-01-01 --to 2026-02-01 --yes`;

export const backfillCommand = () =>
  new Command("backfill")
    .description("Make a range of a model again, or read a range of a bronze table again, beside live runs.")
    .argument("<table>", "layer.table, or pipeline.layer.table")
    .requiredOption("--from <value>", "first value of the range; times are UTC unless they say a zone")
    .requiredOption("--to <value>", "first value behind the range")
    .option("--column <name>", "column that the range is of; by default the time of the key")
    .option("--chunk <size>", "so much at once: 7d, 1mo (min h d w mo y), or a number")
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
  const request = { ...options, model: reference };
  const planned = await prepareBackfill({ lake, onProgress }, pipeline, request);
  const { plan } = planned;
  if (options.dryRun && options.json) {
    process.stdout.write(`${jsonText({ pipeline: pipeline.name, plan })}\n`);
    return;
  }
  if (!options.json) process.stdout.write(renderPlan(pipeline.name, plan));
  if (options.dryRun || !(await mayGoOn(options))) return;
  const startedAt = Date.now();
  const report = await planned.run();
  runtime.endProgress();
  await record(runtime, pipeline.name, report, startedAt);
  const durationMs = Date.now() - startedAt;
  process.stdout.write(
    options.json
      ? `${jsonText({ pipeline: pipeline.name, plan, report: { ...report, durationMs } })}\n`
      : renderReport(pipeline.name, report, durationMs),
  );
}

function record(
  runtime: Runtime,
  pipeline: string,
  report: BackfillReport,
  startedAt: number,
): Promise<void> {
  const { model, rowsIn, rowsOut, bytes, version } = report;
  const status = rowsOut === 0 ? "unchanged" : "incremental";
  const entries = [{ task: model, status, rowsIn, rowsOut, bytes, version }];
  return recordRun(runtime.lake, pipeline, {
    id: randomUUID(),
    command: "backfill",
    startedAt,
    endedAt: Date.now(),
    entries,
  });
}
