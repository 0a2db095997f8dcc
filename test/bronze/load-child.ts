/** A load as a process of its own, which kills itself: see `load-process.ts`. */
import { setTimeout as delay } from "node:timers/promises";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { postgres } from "../../layers/definition/pipeline.ts";
import type { KilledLoad } from "./load-process.ts";

const { url, lake, table, rangeBytes, steps, milliseconds, changes }: KilledLoad = JSON.parse(
  process.argv[2] ?? "",
);
const duckdb = await DuckDb.open({ memoryMb: 256, threads: 2 });
let told = 0;
const onProgress = () => {
  if (++told === steps) void delay(milliseconds).then(() => process.kill(process.pid, "SIGKILL"));
};
await load(
  { lake: new Lake(new LocalStore(lake), duckdb), connectionString: url, concurrency: 2, onProgress },
  { name: "p", source: postgres({ tables: { [table]: {} }, changes }) },
  { rangeBytes },
);
duckdb.close();
process.exit(0);
