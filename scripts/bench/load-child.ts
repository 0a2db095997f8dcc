/** The two measured halves of the load benchmark, each in a process of its own: `copy URL`, `load URL FOLDER`. */

import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { to as copyTo } from "pg-copy-streams";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { postgres } from "../../layers/definition/pipeline.ts";
import { report } from "./bench.ts";

const [mode, connectionString = "", folder = ""] = process.argv.slice(2);

async function rawCopy(): Promise<number> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  const stream = client.query(copyTo("COPY orders TO STDOUT"));
  await pipeline(stream, new Writable({ write: (_chunk, _encoding, done) => done() }));
  await client.end();
  return stream.rowCount;
}

async function loadTable(): Promise<number> {
  const duckdb = await DuckDb.open({ memoryMb: 256, threads: 2 });
  const lake = new Lake(new LocalStore(folder), duckdb);
  const reports = await load(
    { lake, connectionString, concurrency: 3, onProgress: ignoreProgress },
    { name: "bench", source: postgres({ tables: { orders: {} }, limits: { connections: 2 } }) },
  );
  duckdb.close();
  return reports[0]?.rows ?? 0;
}

await report(mode === "copy" ? rawCopy : loadTable);
process.disconnect?.();
