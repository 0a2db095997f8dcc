/** `ingot backfill` of a bronze table. */
import { prepareBronze } from "../../../layers/backfill/backfill-bronze.ts";
import { recordRun } from "../../../layers/journal.ts";
import type { NamedTable } from "../../named-table.ts";
import { asRun, noteBackfill } from "../../observe/tracing-command.ts";
import type { Runtime } from "../../runtime.ts";
import { jsonText } from "../../terminal/json-text.ts";
import { type BackfillOptions, mayGoOn, requestOf } from "./options.ts";
import { renderBronzePlan, renderBronzeReport } from "./render.ts";

export async function backfillBronze(
  runtime: Runtime,
  { pipeline, reference }: NamedTable,
  options: BackfillOptions,
): Promise<void> {
  const { lake, config, onProgress } = runtime;
  const connectionString = await runtime.database();
  const context = { lake, connectionString, concurrency: config.concurrency, onProgress };
  const { plan, run } = await prepareBronze(context, pipeline, requestOf(reference, options));
  if (options.dryRun && options.json) {
    process.stdout.write(`${jsonText({ pipeline: pipeline.name, plan })}\n`);
    return;
  }
  if (!options.json) process.stdout.write(renderBronzePlan(pipeline.name, plan, options));
  if (options.dryRun || !(await mayGoOn(options))) return;
  const startedAt = Date.now();
  const { report, durationMs } = await asRun(runtime, "backfill", async ({ run: context }) => {
    const made = await run();
    runtime.endProgress();
    const endedAt = Date.now();
    const { rowsIn, rowsOut, bytes, version } = made;
    const status = rowsOut === 0 ? "unchanged" : "committed";
    await recordRun(lake, pipeline.name, {
      id: context.id,
      command: "backfill",
      startedAt,
      endedAt,
      entries: [{ task: reference, status, rowsIn, rowsOut, bytes, version }],
    });
    noteBackfill(context, pipeline.name, reference, made);
    return { report: made, durationMs: endedAt - startedAt };
  });
  process.stdout.write(
    options.json
      ? `${jsonText({ pipeline: pipeline.name, plan, report: { ...report, durationMs } })}\n`
      : renderBronzeReport(pipeline.name, report, durationMs),
  );
}
