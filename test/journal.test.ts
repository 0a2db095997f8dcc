import { expect, it } from "vitest";
import { field } from "../lakehouse/delta/schema.ts";
import { Lake } from "../lakehouse/lake.ts";
import { LocalStore } from "../lakehouse/store/local.ts";
import { type JournalEntry, lastRuns, recordRun } from "../layers/journal.ts";
import { lastAudits, recordAudits } from "../layers/models/audit/audit-log.ts";
import type { AuditResult } from "../layers/models/audit/audit-result.ts";
import { useDuckDb } from "./support/duckdb.ts";
import { useFolder } from "./support/folder.ts";
import { queryTable } from "./support/lake.ts";
import { writeRows } from "./support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
/** A lake whose clock stands where it is put; by default on the day of the rows. */
function newLake(clock = { now: 0 }): Lake {
  const store = new LocalStore(`${folder.path}/lake-${crypto.randomUUID()}`);
  return new Lake(store, duckdb, { now: () => clock.now });
}

const entry = (task: string, more: Partial<JournalEntry> = {}): JournalEntry => ({
  task,
  status: "rebuilt",
  rowsIn: 1,
  rowsOut: 2,
  bytes: 3,
  version: 4,
  ...more,
});
const run = (id: string, startedAt: number, ...entries: JournalEntry[]) => ({
  id,
  command: "build",
  startedAt,
  endedAt: startedAt + 5,
  entries,
});

it("keeps what a model read, its SQL without secrets, and why it ran as it did", async () => {
  const lake = newLake();
  const model = entry("gold.a", {
    reason: "--anew",
    inputs: { "silver.b": 7 },
    fingerprint: "f",
    sql: "SELECT 'postgres://me:hunter2@host/db', it''s",
  });
  await recordRun(lake, "p", run("1", 1000, model, entry("gold.idle", { status: "unchanged" })));
  await recordRun(lake, "p", run("2", 2000, entry("gold.a", { status: "failed", version: undefined })));
  const rows = await queryTable(lake, "p/_ingot/runs", "FROM t ORDER BY run_id");
  expect(rows).toMatchObject([
    {
      run_id: "1",
      reason: "--anew",
      inputs: '{"silver.b":7}',
      fingerprint: "f",
      version: 4n,
      duration_ms: 5n,
    },
    { run_id: "2", status: "failed", reason: null, inputs: null, sql: null, version: null },
  ]);
  expect(rows[0]?.sql).toContain("it''s");
  expect(rows[0]?.sql).not.toContain("hunter2");
  expect(rows[0]?.started_at).toBe("1970-01-01T00:00:01.000000Z");
  expect([...(await lastRuns(lake, "p"))].map(([task, row]) => [task, row.run_id])).toEqual([
    ["gold.a", "2"],
  ]);
});

it("leaves idle runs out, but for the one that ends a failure", async () => {
  const lake = newLake();
  const statuses = async () => {
    const rows = await queryTable(lake, "p/_ingot/runs", "SELECT run_id, status FROM t ORDER BY run_id");
    return rows.map(({ run_id, status }) => `${run_id} ${status}`);
  };
  const record = (id: string, status: string) =>
    recordRun(lake, "p", run(id, Number(id) * 1000, entry("gold.a", { status })));
  for (const [id, status] of [
    ["1", "unchanged"],
    ["2", "failed"],
    ["3", "unchanged"],
    ["4", "unchanged"],
    ["5", "blocked"],
    ["6", "unchanged"],
  ] as const)
    await record(id, status);
  expect(await statuses()).toEqual(["2 failed", "3 unchanged", "5 blocked", "6 unchanged"]);
});

it("keeps the files of the journal few", async () => {
  const lake = newLake();
  for (let i = 0; i < 70; i++) await recordRun(lake, "p", run(String(i), i, entry(`gold.${i}`)));
  expect((await lake.table("p/_ingot/runs").existingSnapshot()).files.size).toBeLessThan(40);
  expect((await lastRuns(lake, "p")).size).toBe(70);
});

it("goes on with a journal of fewer columns, and of more", async () => {
  const lake = newLake();
  const table = lake.table("p/_ingot/runs");
  const old = ["run_id", "command", "task", "status", "future"].map((name) => field(name, "string"));
  const schema = { type: "struct" as const, fields: [...old, field("started_at", "timestamp")] };
  const row =
    "SELECT '0' AS run_id, 'build' AS command, 'gold.a' AS task, 'done' AS status, 'kept' AS future, make_timestamptz(0) AS started_at";
  await writeRows(duckdb, table, row, { schema });
  expect((await lastRuns(lake, "p")).get("gold.a")).toMatchObject({ run_id: "0", rows_in: null });
  await recordRun(lake, "p", run("1", 1000, entry("gold.a", { reason: "why" })));
  await recordRun(lake, "p", run("2", 2000, entry("gold.b")));
  expect(
    await queryTable(lake, "p/_ingot/runs", "SELECT run_id, future, reason FROM t ORDER BY run_id"),
  ).toEqual([
    { run_id: "0", future: "kept", reason: null },
    { run_id: "1", future: null, reason: "why" },
    { run_id: "2", future: null, reason: null },
  ]);
});

it("loses no run of several that record the first ones at once", async () => {
  const lake = newLake();
  const ids = ["1", "2", "3", "4"];
  await Promise.all(ids.map((id) => recordRun(lake, "p", run(id, 1000, entry(`gold.${id}`)))));
  expect([...(await lastRuns(lake, "p")).values()].map((row) => row.run_id).sort()).toEqual(ids);
});

/** A build of one model. */
const report = {
  model: "gold.a",
  status: "rebuilt",
  rowsIn: 0,
  rowsOut: 0,
  bytes: 0,
  version: 3,
  inputs: {},
} as const;

it("keeps what audits found, and tells the newest of each", async () => {
  const lake = newLake();
  expect(await lastAudits(lake, "p")).toEqual([]);
  const result = {
    audit: "unique(a)",
    severity: "error",
    failing: 0,
    checked: "written",
    status: "passed",
  } as const;
  await recordAudits(
    lake,
    "p",
    "1",
    { reports: [{ ...report, audits: [result] }], failures: [] },
    new Date(1000),
  );
  const failed = { ...result, status: "failed", failing: 2, examples: ['{"a":1}'] } as const;
  const failure = { model: "gold.a", error: new Error("x"), version: 3, audits: [failed] };
  await recordAudits(lake, "p", "2", { reports: [], failures: [failure] }, new Date(2000));
  await recordAudits(lake, "p", "3", { reports: [], failures: [] }, new Date(3000));
  expect(await lastAudits(lake, "p")).toMatchObject([
    { run_id: "2", version: null, status: "failed", failing_rows: 2n, examples: '["{\\"a\\":1}"]' },
  ]);
  expect(await queryTable(lake, "p/_ingot/audits", "SELECT version FROM t WHERE run_id = '1'")).toEqual([
    { version: 3n },
  ]);
});

it("writes once what is known of a version that was there before", async () => {
  const lake = newLake();
  const result = {
    audit: "unique(a)",
    severity: "warn",
    failing: 2,
    checked: "table",
    status: "failed",
  } as const;
  const report = {
    model: "gold.a",
    status: "unchanged",
    rowsIn: 0,
    rowsOut: 0,
    bytes: 0,
    inputs: {},
  } as const;
  const record = (run: string, version: number, audits: readonly AuditResult[]) =>
    recordAudits(
      lake,
      "p",
      run,
      { reports: [{ ...report, version, audits }], failures: [] },
      new Date(Number(run) * 1000),
    );
  await record("1", 3, [result]);
  await record("2", 3, [result, { ...result, audit: "notNull(a)" }]);
  await record("3", 3, [result]);
  await record("4", 4, [result]);
  await record("5", 4, [{ ...result, status: "skipped" }]);
  await record("6", 4, [{ ...result, status: "skipped" }]);
  await record("7", 4, [result]);
  const logged = await queryTable(lake, "p/_ingot/audits", "SELECT run_id, audit FROM t ORDER BY ALL");
  expect(logged.map(({ run_id, audit }) => `${run_id} ${audit}`)).toEqual([
    "1 unique(a)",
    "2 notNull(a)",
    "4 unique(a)",
    "5 unique(a)",
    "7 unique(a)",
  ]);
});

const DAY = 24 * 3600 * 1000;

it("drops what is older than 90 days, once a day, and keeps the newest of each task and its SQL", async () => {
  const clock = { now: 100 * DAY };
  const lake = newLake(clock);
  const ids = async () =>
    (await queryTable(lake, "p/_ingot/runs", "SELECT run_id FROM t ORDER BY started_at, run_id")).map(
      ({ run_id }) => run_id,
    );
  const deletions = async () =>
    (await lake.table("p/_ingot/runs").history()).filter(({ operation }) => operation === "DELETE").length;
  const record = (id: string, day: number, ...entries: JournalEntry[]) =>
    recordRun(lake, "p", run(id, day * DAY, ...entries));
  await record("made", 1, entry("gold.a", { sql: "SELECT 'it''s'" }));
  await record("old", 2, entry("gold.a"));
  await record("failed", 3, entry("gold.gone's", { status: "failed" }));
  await record("edge", 10, entry("gold.a"));
  await record("new", 100, entry("gold.a"));
  // The day on which the table was made has nothing to drop.
  expect(await ids()).toEqual(["made", "old", "failed", "edge", "new"]);
  clock.now += DAY - 1;
  await record("late", 100.5, entry("gold.a"));
  expect(await deletions()).toBe(0);
  clock.now += 1;
  await record("next", 101, entry("gold.a"));
  expect(await ids()).toEqual(["made", "failed", "new", "late", "next"]);
  await record("older", 5, entry("gold.a"));
  expect(await deletions()).toBe(1);
  clock.now += DAY;
  await Promise.all([record("x", 102, entry("gold.b")), record("y", 102, entry("gold.c"))]);
  expect(await ids()).toEqual(["made", "failed", "new", "late", "next", "x", "y"]);
  expect(await deletions()).toBe(2);
  expect([...(await lastRuns(lake, "p")).keys()].sort()).toEqual([
    "gold.a",
    "gold.b",
    "gold.c",
    "gold.gone's",
  ]);
});

it("keeps the newest of each audit, however old", async () => {
  const clock = { now: 0 };
  const lake = newLake(clock);
  const audit = (name: string) =>
    ({ audit: name, severity: "error", failing: 0, checked: "written", status: "passed" }) as const;
  const record = (id: string, ...names: string[]) => {
    const reports = [{ ...report, audits: names.map(audit) }];
    return recordAudits(lake, "p", id, { reports, failures: [] }, new Date(clock.now));
  };
  await record("1", "a", "b");
  clock.now += DAY;
  await record("2", "a");
  clock.now += 100 * DAY;
  await record("3", "c");
  const rows = await queryTable(lake, "p/_ingot/audits", "SELECT run_id, audit FROM t ORDER BY ALL");
  expect(rows.map(({ run_id, audit: name }) => `${run_id} ${name}`)).toEqual(["1 b", "2 a", "3 c"]);
});
