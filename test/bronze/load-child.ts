/** A load as a process of its own, to be killed: `URL LAKE TABLE RANGE_BYTES`. Prints a line for each step it takes. */
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { postgres } from "../../layers/definition/pipeline.ts";

const [connectionString = "", folder = "", table = "", rangeBytes = "", changes = "query"] =
  process.argv.slice(2);
const duckdb = await DuckDb.open({ memoryMb: 256, threads: 2 });
const onProgress = () => process.stdout.write("step\n");
const context = {
  lake: new Lake(new LocalStore(folder), duckdb),
  connectionString,
  concurrency: 2,
  onProgress,
};
const source = postgres({ tables: { [table]: {} }, changes: changes === "wal" ? "wal" : "query" });
await load(context, { name: "p", source }, { rangeBytes: Number(rangeBytes) });
duckdb.close();
