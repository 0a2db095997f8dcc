/** Change capture: a backlog against pg_recvlogical to nowhere, and how far behind a followed stream is. */
import { execFile } from "node:child_process";
import { accessSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { groupDigits } from "../../jobs/terminal/numbers.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { type Bench, rounded, runChild, timed } from "./bench.ts";
import { type OrdersServer, startOrders } from "./postgres-orders.ts";

const CHANGES = 5_000_000;
const CHILD = new URL("./cdc-child.js", import.meta.url);
/** Changes in a transaction of the backlog. */
const TRANSACTION = 1_000;
const RATE = 2_000;
const LIVE_SECONDS = 20;

export const cdcBench: Bench = async ({ scale, say }) => {
  const server = await startOrders();
  try {
    const lake = join(server.folder, "lake");
    await runChild(CHILD, ["load", server.connectionString, lake]);
    const peer = "peer";
    await server.client.query("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", [peer]);
    const changes = Math.max(10_000, Math.round(CHANGES * scale));
    say(`writing ${groupDigits(changes)} changes`);
    await writeBacklog(server, changes);
    const recvMs = await recvlogical(server, peer);
    const sync = await runChild(CHILD, ["sync", server.connectionString, lake]);
    if (sync.rows !== changes) throw new Error(`captured ${sync.rows} of ${changes} changes`);
    say(
      `backlog: pg_recvlogical ${Math.round(recvMs)} ms, capture ${Math.round(sync.milliseconds)} ms, peak ${Math.round(sync.peakMemoryMb)} MB`,
    );
    const lags = await liveLags(server, lake, Math.max(5, LIVE_SECONDS * Math.min(1, scale * 4)));
    const figures = {
      changes,
      rowsPerSecond: Math.round((changes / sync.milliseconds) * 1000),
      recvlogicalRatio: rounded(recvMs / sync.milliseconds),
      lagP95Ms: Math.round(lags.p95),
      lagP50Ms: Math.round(lags.p50),
      liveRowsPerSecond: Math.round(lags.rate),
      peakMemoryMb: Math.round(Math.max(sync.peakMemoryMb, lags.peakMemoryMb)),
    };
    say(
      `${groupDigits(figures.rowsPerSecond)} rows/s to durable bronze, ${figures.recvlogicalRatio} of pg_recvlogical; at ${figures.liveRowsPerSecond} changes/s 95 % are in bronze within ${figures.lagP95Ms} ms`,
    );
    return figures;
  } finally {
    await server.end();
  }
};

/** Six inserts, three updates and one deletion of ten changes. */
async function writeBacklog({ client, insert }: OrdersServer, changes: number): Promise<void> {
  for (let done = 0; done < changes; done += TRANSACTION) {
    const first = done + 1;
    await client.query("BEGIN");
    await insert(first, first + 0.6 * TRANSACTION - 1);
    const updated = first + 0.3 * TRANSACTION;
    await client.query(
      "UPDATE orders SET status = 'refunded', updated_at = now() WHERE id >= $1 AND id < $2",
      [first, updated],
    );
    await client.query("DELETE FROM orders WHERE id >= $1 AND id < $2", [
      updated,
      updated + 0.1 * TRANSACTION,
    ]);
    await client.query("COMMIT");
  }
}

/** Milliseconds that Postgres' own receiver takes for the backlog. */
async function recvlogical({ client, connectionString }: OrdersServer, slot: string): Promise<number> {
  const { rows } = await client.query<{ lsn: string }>("SELECT pg_current_wal_flush_lsn()::text AS lsn");
  const options = ["-o", "proto_version=1", "-o", "publication_names=ingot_bench"];
  const end = ["--endpos", rows[0]?.lsn ?? "", "--no-loop"];
  const args = ["-d", connectionString, "--slot", slot, "--start", "-f", "/dev/null", ...options, ...end];
  const { milliseconds } = await timed(() => promisify(execFile)(program("pg_recvlogical"), args));
  await client.query("SELECT pg_drop_replication_slot($1)", [slot]);
  return milliseconds;
}

/** Debian keeps the programs of its Postgres packages apart from PATH. */
function program(name: string): string {
  const debian = "/usr/lib/postgresql";
  try {
    for (const version of readdirSync(debian)) {
      const path = join(debian, version, "bin", name);
      accessSync(path);
      return path;
    }
  } catch {
    // Then it has to be on PATH.
  }
  return name;
}

/** Writes at a steady rate while another process follows; how long after its commit each change was durable. */
async function liveLags(server: OrdersServer, folder: string, seconds: number) {
  const { client, connectionString } = server;
  const following = runChild(CHILD, ["follow", connectionString, folder, String(seconds * 1000 + 4_000)]);
  await delay(1_500);
  const perTransaction = 20;
  const started = performance.now();
  let sent = 0;
  while (performance.now() - started < seconds * 1000) {
    const due = ((performance.now() - started) / 1000) * RATE;
    for (; sent < due; sent += perTransaction) {
      await client.query("UPDATE orders SET updated_at = now() WHERE id >= $1 AND id < $2", [
        sent * 5 + 401,
        sent * 5 + 401 + perTransaction,
      ]);
    }
    await delay(5);
  }
  const rate = sent / ((performance.now() - started) / 1000);
  const child = await following;
  const durable = Object.entries(child.figures).map(([lsn, at]) => `(${lsn}, ${at})`);
  const duckdb = await DuckDb.open({ memoryMb: 512, threads: 2 });
  try {
    const table = new Lake(new LocalStore(folder), duckdb).table("bench/bronze/orders");
    const rows = await scanSql(table.store, scannable(await table.existingSnapshot()));
    const [lags] = await duckdb.rows(`
      WITH durable(lsn, done) AS (VALUES ${durable.join(", ")}),
      changes AS (SELECT _ingot_lsn AS lsn, epoch_ms(_ingot_committed_at) AS committed FROM (${rows})
                   WHERE _ingot_lsn >= (SELECT min(lsn) FROM durable) AND _ingot_op = 'u')
      SELECT quantile_cont(d.done - c.committed, 0.95) AS p95, quantile_cont(d.done - c.committed, 0.5) AS p50
        FROM changes c ASOF JOIN durable d ON c.lsn < d.lsn`);
    return { p95: Number(lags?.p95), p50: Number(lags?.p50), rate, peakMemoryMb: child.peakMemoryMb };
  } finally {
    duckdb.close();
  }
}
