/** A rival as a process of its own: its plan and the place of the table come in as JSON, what it was told goes out. */
import { createInterface } from "node:readline/promises";
import { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { openStore } from "../../../lakehouse/lake.ts";
import { type RivalPlan, runRival } from "./rival.ts";

const duckdb = await DuckDb.open({ memoryMb: 256, threads: 1 });
for await (const line of createInterface({ input: process.stdin })) {
  const { address, plan } = JSON.parse(line) as { address: string; plan: RivalPlan };
  const told = await runRival(openStore(address), duckdb, plan);
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
duckdb.close();
