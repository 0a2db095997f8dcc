/** `ingot backfill` of a bronze table. */
import { randomUUID } from "node:crypto";
import { prepareBronze } from "../../../layers/backfill/backfill-bronze.ts";
import { recordRun } from "../../../layers/journal.ts";
import type { NamedTable } from "../../named-table.ts";
import type { Runtime } from "../../runtime.ts";
import { jsonText } from "../../terminal/json-text.ts";
import { type BackfillOptions, mayGoOn } from "./options.ts";
import { renderBronzePlan, renderBronzeReport } from "./render.ts";

export async function backfillBronze(
  runtime: Runtime,
  { pipeline, reference }: NamedTable,
  options: BackfillOptions,
): Promise<void> {
  const { lake, config, onProgress } = runtime;
  const connectionString = await runtime.database();
  const context = { lake, connectionString, concurrency: config.concurrency, onProgress };
  const { plan, run } = await prepareBronze(context, pipeline, { ...options, model: reference });
  if (options.dryRun && options.json) {
    process.stdout.write(`${jsonText({ pipeline: pipeline.name, plan })}\n`);
    return;
  }
  if (!options.json) process.stdout.write(renderBronzePlan(pipeline.name, plan));
  if (options.dryRun || !(await mayGoOn(options))) return;
  const startedAt = Date.now();
  const report = await run();
  runtime.endProgress();
  const endedAt = Date.now();
  const { rowsIn, rowsOut, bytes, version } = report;
  const status = rowsOut === 0 ? "unchanged" : "committed";
  await recordRun(lake, pipeline.name, {
    id: randomUUID(),
    command: "backfill",
    startedAt,
    endedAt,
    entries: [{ task: reference, status, rowsIn, rowsOut, bytes, version }],
  });
  const durationMs = endedAt - startedAt;
  process.stdout.write(
    options.json
      ? `${jsonText({ pipeline: pipeline.name, plan, report: { ...report, durationMs } })}\n`
      : renderBronzeReport(pipeline.name, report, durationMs),
  );
}
