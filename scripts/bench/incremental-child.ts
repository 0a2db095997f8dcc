/**
 * One incremental build of the benchmark's shop in a process of its own: FOLDER ORDERS MEMORY_MB. Its rows are the models
 * that were made anew.
 */
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { report } from "./bench.ts";
import { BenchShop } from "./incremental-shop.ts";

const [folder = "", orders, memoryMb] = process.argv.slice(2);

async function increment(): Promise<number> {
  const duckdb = await DuckDb.open({ memoryMb: Number(memoryMb), threads: 2 });
  const anew = await new BenchShop(folder, duckdb, Number(orders)).increment();
  duckdb.close();
  return anew.length;
}

await report(increment);
process.disconnect?.();
