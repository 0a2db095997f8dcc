/** Change capture in a process of its own: `load URL LAKE`, `sync URL LAKE`, `follow URL LAKE MILLISECONDS`. */
import { setTimeout as delay } from "node:timers/promises";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { follow } from "../../layers/bronze/follow.ts";
import { load, sync } from "../../layers/bronze/ingest.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { report } from "./bench.ts";

const [mode, connectionString = "", folder = "", milliseconds = "0"] = process.argv.slice(2);
const pipeline: PipelineDefinition = {
  name: "bench",
  source: postgres({ changes: "wal", tables: { orders: {} } }),
};
const duckdb = await DuckDb.open({ memoryMb: 192, threads: 2 });
const lake = new Lake(new LocalStore(folder), duckdb);
const context = { lake, connectionString, concurrency: 2, onProgress: ignoreProgress };

/** When batches became durable here, by the WAL position up to which they reach. */
async function followed(): Promise<{ rows: number; figures: Record<string, number> }> {
  const stop = new AbortController();
  const figures: Record<string, number> = {};
  let rows = 0;
  const following = follow(context, pipeline, {
    signal: stop.signal,
    onCommitted: (batch) => {
      rows += batch.rows;
      figures[String(batch.endLsn)] = Date.now();
    },
  });
  await Promise.race([delay(Number(milliseconds)), following]);
  stop.abort();
  await following;
  return { rows, figures };
}

const work = {
  load: async () => (await load(context, pipeline))[0]?.rows ?? 0,
  sync: async () => (await sync(context, pipeline))[0]?.rows ?? 0,
  follow: followed,
}[mode ?? ""];
if (work === undefined) throw new Error(`unknown mode ${mode}`);
await report(work);
duckdb.close();
process.disconnect?.();
