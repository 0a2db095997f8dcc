/** `ingot start --port`, as orchestrators and Prometheus ask it. */
import { spawn } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { expect, it } from "vitest";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { RunRecords } from "../../layers/schedule/run-records.ts";
import { rawGet } from "../serve/served.ts";
import { ingotCli } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";
import { useDatabase } from "../support/postgres.ts";
import { parseMetrics, sampleValue } from "./prometheus-text.ts";

const folder = useFolder();
const database = useDatabase();
const BIN = new URL("../../bin/ingot.cjs", import.meta.url).pathname;

async function project(pipelines: string): Promise<string> {
  const path = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(`${path}/silver`, { recursive: true });
  await writeFile(`${path}/silver/items.sql`, "SELECT id, n FROM bronze.items");
  await writeFile(
    `${path}/ingot.config.ts`,
    `import { existsSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { defineConfig, defineTable, integer, merge, postgres } from "ingot";
const folder = new URL(".", import.meta.url);
const items = defineTable({ name: "items", description: "items", key: ["id"],
  columns: { id: integer(), n: integer().check((n) => n.min(0)) } });
const untilGo = async () => { while (!existsSync(new URL("go", folder))) await delay(5); };
export default defineConfig({ pipelines: ${pipelines} });
`,
  );
  return path;
}

/** A process that is watched, and what it logs. */
async function start(path: string, environment: Readonly<Record<string, string>> = {}) {
  const { DATABASE_URL: _d, INGOT_LAKE: _l, REDIS_URL: _r, ...env } = process.env;
  const child = spawn(process.execPath, [BIN, "start", "--port", "0"], {
    cwd: path,
    env: { ...env, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const events: Record<string, unknown>[] = [];
  let look = () => {};
  createInterface(child.stdout).on("line", (line) => {
    events.push(JSON.parse(line));
    look();
  });
  const ended = new Promise((resolve) => child.on("close", (code, signal) => resolve(signal ?? code)));
  const logged = (fits: (event: Record<string, unknown>) => boolean, times = 1) =>
    new Promise<Record<string, unknown>>((resolve) => {
      look = () => {
        const found = events.filter(fits)[times - 1];
        if (found !== undefined) resolve(found);
      };
      look();
    });
  const { url } = await logged(({ msg }) => msg === "watched");
  const get = async (what: string) => {
    const response = await fetch(`${String(url)}${what}`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const metrics = async () => {
    const response = await fetch(`${String(url)}/metrics`);
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    return parseMetrics(await response.text());
  };
  return { child, url: String(url), events, ended, logged, get, metrics };
}

const named = (msg: string, job?: string) => (event: Record<string, unknown>) =>
  event.msg === msg && (job === undefined || event.job === job);

it("is alive and ready while runs fail; unready from the signal on, alive and asked until the end", async () => {
  const path = await project(`[{ name: "mine", source: postgres({ tables: {} }), schedules: {
    broken: { cron: "* * * * * *", retries: 0, run: async () => { throw new Error("no"); } },
    long: { cron: "* * * * * *", run: untilGo },
    yearly: { cron: "0 0 1 1 *", run: async () => {} },
  } }]`);
  // What succeeded before it starts is known.
  const before = new RunRecords(new LocalStore(`${path}/lake`), "mine.yearly");
  const [due, endedAt] = ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:07.500Z"];
  const record = { due, endedAt, startedAt: due, attempts: 1, runId: "1", owner: "before", epoch: 1 };
  await before.finish(Date.parse(due), { ...record, status: "succeeded" }, []);
  const started = await start(path);
  await started.logged(named("run started", "mine.long"));
  await started.logged(named("run ended", "mine.broken"), 2);
  const health = await started.get("/healthz");
  expect(health).toEqual({
    status: 200,
    body: { owner: expect.stringMatching(/:\d+$/), startedAt: expect.any(String), stopping: false },
  });
  expect(await started.get("/readyz")).toEqual({ status: 200, body: { ready: true } });
  const failed = started.events.filter(named("run ended", "mine.broken")).length;
  const found = await started.metrics();
  const runs = { schedule: "mine.broken", status: "failed" };
  expect(sampleValue(found, "ingot_runs_total", runs)).toBeGreaterThanOrEqual(failed);
  expect(sampleValue(found, "ingot_runs_total", { ...runs, status: "succeeded" })).toBe(0);
  expect(sampleValue(found, "ingot_run_in_progress", { schedule: "mine.long" })).toBe(1);
  expect(sampleValue(found, "ingot_schedule_trouble", { schedule: "mine.broken" })).toBe(0);
  expect(sampleValue(found, "ingot_next_due_timestamp_seconds", runs)).toBeUndefined();
  expect(sampleValue(found, "ingot_next_due_timestamp_seconds", { schedule: "mine.broken" })).toBeGreaterThan(
    1.7e9,
  );
  expect(sampleValue(found, "ingot_last_success_timestamp_seconds", { schedule: "mine.yearly" })).toBe(
    Date.parse(endedAt) / 1000,
  );
  expect(
    sampleValue(found, "ingot_last_success_timestamp_seconds", { schedule: "mine.broken" }),
  ).toBeUndefined();

  expect(await started.get("/")).toMatchObject({ status: 404, body: { error: { code: "PATH_UNKNOWN" } } });
  expect((await fetch(`${started.url}/metrics`, { method: "POST" })).status).toBe(405);
  const head = await fetch(`${started.url}/readyz`, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([200, ""]);
  expect((await rawGet(started.url, "/metrics", { host: "evil.example" })).status).toBe(421);
  expect((await rawGet(started.url, "/metrics", { host: "localhost:1" })).status).toBe(200);

  started.child.kill("SIGTERM");
  await started.logged(named("stopping"));
  expect(await started.get("/readyz")).toEqual({
    status: 503,
    body: { ready: false, reasons: [{ reason: "it is stopping" }] },
  });
  expect(await started.get("/healthz")).toMatchObject({ status: 200, body: { stopping: true } });
  expect((await started.metrics()).has("ingot_runs_total")).toBe(true);
  await writeFile(`${path}/go`, "");
  expect(await started.ended).toBe("SIGTERM");
  expect(started.events.at(-1)?.msg).toBe("stopped");
  await expect(fetch(`${started.url}/healthz`)).rejects.toThrow();
});

it("the figures of tables, quarantines and slots are those of lake and source, of two pipelines with the same tables", async () => {
  await database.query(`CREATE TABLE items (id int PRIMARY KEY, n int);
    INSERT INTO items SELECT g, g % 4 - 1 FROM generate_series(1, 200) g`);
  const pipeline = (name: string) =>
    `{ name: "${name}", folder, source: postgres({ changes: "wal", tables: { items: {} } }),
      silver: { items: merge(items) }, schedules: { refresh: { cron: "* * * * * *", steps: ["sync", "build"] } } }`;
  const path = await project(`[${pipeline("a")}, ${pipeline("b")}]`);
  const started = await start(path, { DATABASE_URL: database.url });
  for (const name of ["a", "b"])
    await started.logged(
      (event) => named("run ended", `${name}.refresh`)(event) && event.status === "succeeded",
    );
  const found = await started.metrics();
  for (const name of ["a", "b"]) {
    const bronze = { pipeline: name, table: "bronze.items" };
    const silver = { pipeline: name, table: "silver.items" };
    expect(sampleValue(found, "ingot_table_rows", bronze)).toBe(200);
    expect(sampleValue(found, "ingot_table_rows", silver)).toBe(150);
    expect(sampleValue(found, "ingot_quarantine_rows", silver)).toBe(50);
    expect(sampleValue(found, "ingot_rows_total", bronze)).toBe(200);
    expect(sampleValue(found, "ingot_rows_total", silver)).toBe(150);
    expect(sampleValue(found, "ingot_table_age_seconds", silver)).toBeGreaterThanOrEqual(0);
    const slot = { pipeline: name, slot: `ingot_${name}` };
    expect(sampleValue(found, "ingot_slot_status", { ...slot, status: "lost" })).toBe(0);
    expect(sampleValue(found, "ingot_slot_status", { ...slot, status: "missing" })).toBe(0);
    const [truth] = await database.query<{ held: string }>(
      "SELECT pg_current_wal_lsn() - restart_lsn AS held FROM pg_replication_slots WHERE slot_name = $1",
      [slot.slot],
    );
    const retained = sampleValue(found, "ingot_slot_retained_bytes", slot) ?? -1;
    expect(retained).toBeGreaterThanOrEqual(0);
    expect(sampleValue(found, "ingot_capture_lag_bytes", slot)).toBeLessThanOrEqual(retained);
    expect(Number(truth?.held)).toBeGreaterThanOrEqual(0);
    expect(
      sampleValue(found, "ingot_step_duration_seconds_count", { schedule: `${name}.refresh`, step: "sync" }),
    ).toBeGreaterThan(0);
    expect(
      sampleValue(found, "ingot_last_success_timestamp_seconds", { schedule: `${name}.refresh` }),
    ).toBeGreaterThan(1.7e9);
  }
  expect(found.has("ingot_observation_errors_total")).toBe(true);
  expect(found.get("ingot_observation_errors_total")?.samples).toEqual([]);
  started.child.kill("SIGTERM");
  expect(await started.ended).toBe("SIGTERM");
  await database.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
});

it("a port that is taken keeps it from starting", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as AddressInfo;
  const path = await project(
    `[{ name: "mine", source: postgres({ tables: {} }), schedules: { j: { cron: "* * * * * *", run: async () => {} } } }]`,
  );
  const { code, stdout, stderr } = await ingotCli(path, ["start", "--port", String(port)]);
  expect([code, stdout, stderr]).toEqual([1, "", expect.stringContaining("the port is in use")]);
  await new Promise((resolve) => taken.close(resolve));
});

it.each(["70000", "x", "-1"])("refuses --port %s", async (port) => {
  const path = await project("[]");
  const { code, stderr } = await ingotCli(path, ["start", "--port", port]);
  expect([code, stderr]).toEqual([2, expect.stringContaining("It takes")]);
});
