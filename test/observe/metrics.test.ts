/** Metrics of what happened and of what is, read back by a strict parser. */
import { expect, it } from "vitest";
import { Gauges } from "../../jobs/observe/gauges.ts";
import type { Observation } from "../../jobs/observe/observation.ts";
import { RecordedSchedules } from "../../jobs/observe/recorded-schedules.ts";
import { RunMetrics } from "../../jobs/observe/run-metrics.ts";
import { SharedObservation } from "../../jobs/observe/shared-observation.ts";
import { startWatch } from "../../jobs/observe/watch.ts";
import type { JobHealth } from "../../jobs/scheduler/health.ts";
import type { StepReport } from "../../jobs/steps.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { type DoneRun, RunRecords } from "../../layers/schedule/run-records.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { parseMetrics, sampleValue } from "./prometheus-text.ts";

const AT = Date.UTC(2026, 0, 1);
const run = { job: "p.j", runId: "1", due: new Date(AT).toISOString() };
const NOTHING: Observation = { at: AT, tables: [], quarantines: [], slots: [], published: [], errors: [] };
const report = (step: StepReport["step"], tables: StepReport["tables"]): StepReport => {
  return { pipeline: "p", step, durationMs: 1500, rows: 0, tables };
};

it("counts runs, attempts, steps and rows, those of a run that fails among them", async () => {
  const metrics = new RunMetrics(["p.j", "p.idle"]);
  const taken = { mode: "sync", status: "committed", deleted: 0, bytes: 0, version: 1 } as const;
  const built = { status: "incremental", rowsIn: 5, bytes: 0, version: 1, inputs: {}, audits: [] } as const;
  metrics.note({
    event: "step ended",
    ...run,
    report: report("sync", [{ table: "bronze.t", rows: 7, ...taken }]),
  });
  metrics.note({ event: "run failed", ...run, attempt: 1, error: { message: "away" }, retryInMs: 5000 });
  metrics.note({
    event: "step ended",
    ...run,
    report: report("sync", [{ table: "bronze.t", rows: 3, ...taken }]),
  });
  metrics.note({
    event: "step ended",
    ...run,
    report: report("build", [{ model: "silver.t", rowsOut: 4, ...built }]),
  });
  const published = { metric: "m", status: "published", rows: 9, written: 9, version: 1 } as const;
  metrics.note({ event: "step ended", ...run, report: report("publish", [published]) });
  metrics.note({ event: "run ended", ...run, status: "failed", attempts: 2, durationMs: 2400 });
  metrics.note({ event: "run ended", ...run, status: "timed out", attempts: 1, durationMs: -5 });
  metrics.note({ event: "batch", job: "p.j", rows: 11 });
  metrics.note({ event: "batch", job: "p.j", rows: 1 });
  metrics.noteObservation({ errors: [{ what: "slots", error: { message: "away" } }] });
  const found = parseMetrics(await metrics.registry.metrics());
  const values = (name: string) =>
    found.get(name)?.samples.map(({ labels, value }) => [...Object.values(labels), value]);
  expect(values("ingot_runs_total")).toEqual([
    ["p.j", "succeeded", 0],
    ["p.j", "failed", 1],
    ["p.j", "timed out", 1],
    ["p.idle", "succeeded", 0],
    ["p.idle", "failed", 0],
    ["p.idle", "timed out", 0],
  ]);
  expect(values("ingot_retries_total")).toEqual([
    ["p.j", 1],
    ["p.idle", 0],
  ]);
  expect(values("ingot_rows_total")).toEqual([
    ["p", "bronze.t", 10],
    ["p", "silver.t", 4],
  ]);
  expect(values("ingot_followed_batches_total")).toEqual([
    ["p.j", 2],
    ["p.idle", 0],
  ]);
  expect(values("ingot_followed_rows_total")).toEqual([
    ["p.j", 12],
    ["p.idle", 0],
  ]);
  expect(values("ingot_observation_errors_total")).toEqual([["slots", 1]]);
  expect(sampleValue(found, "ingot_run_duration_seconds_sum", { schedule: "p.j" })).toBe(2.4);
  expect(sampleValue(found, "ingot_run_duration_seconds_bucket", { schedule: "p.j", le: "2.5" })).toBe(2);
  expect(sampleValue(found, "ingot_run_duration_seconds_bucket", { schedule: "p.j", le: "1" })).toBe(1);
  expect(sampleValue(found, "ingot_run_duration_seconds_count", { schedule: "p.idle" })).toBe(0);
  expect(sampleValue(found, "ingot_step_duration_seconds_count", { schedule: "p.j", step: "sync" })).toBe(2);
  expect(sampleValue(found, "ingot_step_duration_seconds_sum", { schedule: "p.j", step: "build" })).toBe(1.5);
  // Under the names that every dashboard knows.
  for (const name of [
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "nodejs_eventloop_lag_seconds",
  ])
    expect(sampleValue(found, name)).toBeGreaterThanOrEqual(0);
});

const gauges = async (observation: Observation, now = observation.at) => {
  const made = new Gauges();
  made.addObservation(observation, now);
  return parseMetrics(await made.registry.metrics());
};

it("tells what was observed, tables of the same name in two pipelines apart, as old as it is by now", async () => {
  const table = (pipeline: string, rows: number) => {
    const freshness = { lagMs: 60_000, allowedMs: 120_000 };
    return { pipeline, table: "silver.t", rows, version: rows, ageMs: 5_000, freshness };
  };
  const found = await gauges(
    {
      ...NOTHING,
      tables: [
        table("a", 1),
        table("b", 2),
        { pipeline: "b", table: "silver.u", rows: undefined, version: 0, ageMs: undefined },
      ],
      quarantines: [{ pipeline: "a", table: "silver.t", rows: 3 }],
      slots: [
        { pipeline: "a", slot: "ingot_a", status: "idle", lagBytes: 10, lagSeconds: 4, retainedBytes: 20 },
        { pipeline: "b", slot: "ingot_b", status: "lost" },
      ],
      published: [{ set: "a/m", publishedAt: new Date(AT - 9000).toISOString(), ageMs: 9000 }],
    },
    AT + 10_000,
  );
  const [a, b, u] = [
    { pipeline: "a", table: "silver.t" },
    { pipeline: "b", table: "silver.t" },
    { pipeline: "b", table: "silver.u" },
  ];
  expect([a, b, u].map((labels) => sampleValue(found, "ingot_table_rows", labels))).toEqual([
    1,
    2,
    undefined,
  ]);
  expect([a, b, u].map((labels) => sampleValue(found, "ingot_table_version", labels))).toEqual([1, 2, 0]);
  expect([a, b, u].map((labels) => sampleValue(found, "ingot_table_age_seconds", labels))).toEqual([
    15,
    15,
    undefined,
  ]);
  expect(sampleValue(found, "ingot_freshness_lag_seconds", a)).toBe(70);
  expect(sampleValue(found, "ingot_freshness_allowed_seconds", a)).toBe(120);
  expect(sampleValue(found, "ingot_quarantine_rows", a)).toBe(3);
  const slots = [
    { pipeline: "a", slot: "ingot_a" },
    { pipeline: "b", slot: "ingot_b" },
  ];
  const bySlot = (name: string) => slots.map((labels) => sampleValue(found, name, labels));
  expect(bySlot("ingot_capture_lag_bytes")).toEqual([10, undefined]);
  expect(bySlot("ingot_capture_lag_seconds")).toEqual([4, undefined]);
  expect(bySlot("ingot_slot_retained_bytes")).toEqual([20, undefined]);
  const lost = slots.map((labels) => sampleValue(found, "ingot_slot_status", { ...labels, status: "lost" }));
  expect(lost).toEqual([0, 1]);
  expect(sampleValue(found, "ingot_published_age_seconds", { set: "a/m" })).toBe(19);
  expect(sampleValue(found, "ingot_observation_timestamp_seconds")).toBe(AT / 1000);
  // What is no more is not told again.
  expect((await gauges(NOTHING)).has("ingot_table_rows")).toBe(false);
});

it("keeps names whole that have quotes, backslashes and ends of lines", async () => {
  const names = ['a"b', "a\\b", "a\nb", 'a\\"', "a\\nb", "ü €", "{},="];
  const tables = names.map((name, i) => ({
    pipeline: name,
    table: `bronze.${name}`,
    rows: i,
    version: 0,
    ageMs: 0,
  }));
  const found = await gauges({ ...NOTHING, tables });
  for (const [i, name] of names.entries()) {
    expect(sampleValue(found, "ingot_table_rows", { pipeline: name, table: `bronze.${name}` })).toBe(i);
  }
});

it("tells how jobs are, and what was on record before", async () => {
  const idle: JobHealth = {
    job: "p.idle",
    following: false,
    paused: false,
    seen: true,
    runs: { succeeded: 0, failed: 0, "timed out": 0 },
  };
  const since = new Date(AT).toISOString();
  const busy: JobHealth = {
    ...idle,
    job: "p.busy",
    following: true,
    paused: true,
    nextDue: new Date(AT + 60_000).toISOString(),
    running: { runId: "1", due: since, since, late: false },
    trouble: { message: "away" },
    lastSuccess: new Date(AT - 1000).toISOString(),
  };
  const made = new Gauges();
  const recorded = (job: string) =>
    job === "p.idle" ? { lastSuccess: 42, paused: true } : { lastSuccess: 1, paused: undefined };
  made.addJobs({ jobs: [idle, busy] }, recorded);
  const found = parseMetrics(await made.registry.metrics());
  const ofJob = (name: string) =>
    [idle, busy].map(({ job }) => sampleValue(found, `ingot_${name}`, { schedule: job }));
  expect(ofJob("run_in_progress")).toEqual([0, 1]);
  expect(ofJob("schedule_following")).toEqual([0, 1]);
  expect(ofJob("schedule_paused")).toEqual([1, 1]);
  expect(ofJob("schedule_trouble")).toEqual([0, 1]);
  expect(ofJob("next_due_timestamp_seconds")).toEqual([undefined, AT / 1000 + 60]);
  expect(ofJob("last_success_timestamp_seconds")).toEqual([42, AT / 1000 - 1]);
  // Another process was the last to run it, and it was resumed since.
  const later = new Gauges();
  later.addJobs({ jobs: [busy] }, () => ({ lastSuccess: AT / 1000 + 5, paused: false }));
  const labels = { schedule: "p.busy" };
  const again = parseMetrics(await later.registry.metrics());
  expect(sampleValue(again, "ingot_last_success_timestamp_seconds", labels)).toBe(AT / 1000 + 5);
  expect(sampleValue(again, "ingot_schedule_paused", labels)).toBe(0);
});

const done = (due: number, status: "succeeded" | "failed"): DoneRun => {
  const [at, endedAt] = [due, due + 5_000].map((time) => new Date(time).toISOString()) as [string, string];
  return { due: at, startedAt: at, endedAt, status, attempts: 1, runId: "1", owner: "another", epoch: 1 };
};

it("tells what other processes have put on record, as it is by then", async () => {
  const store = new MemoryStore();
  const records = new RunRecords(store, "p.j");
  let now = 0;
  const recorded = new RecordedSchedules(store, ["p.j"], () => now);
  const seen = async (wait: number) => {
    now += wait;
    await recorded.renew();
    const { lastSuccess, paused } = recorded.of("p.j");
    return [lastSuccess === undefined ? undefined : lastSuccess * 1000 - AT, paused];
  };
  expect(await seen(0)).toEqual([undefined, false]);
  await records.finish(AT, done(AT, "succeeded"), []);
  await records.pause({ by: "me", at: new Date(AT).toISOString() });
  expect(await seen(9_999)).toEqual([undefined, false]);
  expect(await seen(1)).toEqual([undefined, true]);
  expect(await seen(50_000)).toEqual([5_000, true]);
  await records.resume();
  await records.finish(AT + 60_000, done(AT + 60_000, "failed"), []);
  expect(await seen(60_000)).toEqual([5_000, false]);
  await records.finish(AT + 120_000, done(AT + 120_000, "succeeded"), []);
  expect(await seen(60_000)).toEqual([125_000, false]);
  await records.recordExtra(done(AT + 130_000, "succeeded"));
  expect(await seen(60_000)).toEqual([135_000, false]);
  // What is no longer on record was so all the same.
  await records.finish(AT + 180_000, done(AT + 180_000, "failed"), []);
  await records.recordExtra(done(AT + 190_000, "failed"));
  await records.prune(1);
  expect(await seen(60_000)).toEqual([135_000, false]);
});

it("where records cannot be read it tells what was known of successes, and nothing of pauses", async () => {
  const store = new MemoryStore();
  const records = new RunRecords(store, "p.j");
  await records.finish(AT, done(AT, "succeeded"), []);
  await records.pause({ by: "me", at: new Date(AT).toISOString() });
  let [now, isAway] = [0, false];
  const recorded = new RecordedSchedules(
    faultyStore(store, () => ({ failBefore: isAway })),
    ["p.j"],
    () => now,
  );
  await recorded.renew();
  expect(recorded.of("p.j")).toMatchObject({ lastSuccess: AT / 1000 + 5, paused: true });
  [now, isAway] = [60_000, true];
  await recorded.renew();
  expect(recorded.of("p.j")).toMatchObject({ lastSuccess: AT / 1000 + 5, paused: undefined });
  // It does not wait for a minute to ask again.
  await records.finish(AT + 60_000, done(AT + 60_000, "succeeded"), []);
  [now, isAway] = [70_000, false];
  await recorded.renew();
  expect(recorded.of("p.j")).toMatchObject({ lastSuccess: AT / 1000 + 65, paused: true });
});

it("a scrape tells of a run that another process did, and of a pause that nothing here has noticed", async () => {
  const store = new MemoryStore();
  const records = new RunRecords(store, "p.j");
  await records.finish(AT, done(AT, "succeeded"), []);
  await records.pause({ by: "me", at: new Date(AT).toISOString() });
  const runs = { succeeded: 1, failed: 0, "timed out": 0 };
  const lastSuccess = new Date(AT - 60_000).toISOString();
  const health = { job: "p.j", following: false, paused: false, seen: true, runs, lastSuccess };
  const watch = await startWatch({
    host: "127.0.0.1",
    port: 0,
    jobs: ["p.j"],
    state: () => ({ owner: "me", startedAt: lastSuccess, stopping: false, jobs: [health] }),
    observation: new SharedObservation(async () => ({ ...NOTHING, at: Date.now() })),
    store,
    unexpected: () => {},
  });
  const found = parseMetrics(await (await fetch(`${watch.url}/metrics`)).text());
  await watch.close();
  const labels = { schedule: "p.j" };
  expect(sampleValue(found, "ingot_schedule_paused", labels)).toBe(1);
  expect(sampleValue(found, "ingot_last_success_timestamp_seconds", labels)).toBe(AT / 1000 + 5);
});
