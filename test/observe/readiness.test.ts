/** Whether a process says that it is ready, whatever happens to its lake and its jobs. */
import { expect, it } from "vitest";
import { OwnJobs } from "../../jobs/observe/alerts-runs.ts";
import { unreadyReasons } from "../../jobs/observe/readiness.ts";
import type { Tracing } from "../../jobs/observe/tracing.ts";
import { traceRuns } from "../../jobs/observe/tracing-runs.ts";
import type { TraceSpan } from "../../jobs/observe/tracing-span.ts";
import { Scheduler } from "../../jobs/scheduler/scheduler.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { type ProcessClock, Timeline } from "../lease/timeline.ts";
import {
  away,
  job,
  MINUTE,
  named,
  nothing,
  type SimulatedProcess,
  startProcess,
} from "../schedule/simulated.ts";
import { faultyStore } from "../support/faulty-store.ts";

const reasons = ({ scheduler }: Pick<SimulatedProcess, "scheduler">) => unreadyReasons(scheduler.state);

const isResult = (path: string) => path.endsWith(".done.json");
const often = { cron: "* * * * *", retries: 0 };

/** Spans as an SDK has them, as far as whether they go on. */
function newTracing(): Tracing {
  const span: TraceSpan = { child: () => span, set: () => {}, event: () => {}, end: () => {} };
  return { root: () => span, runs: new Map(), end: async () => {} };
}

/** A store that is away while `isAway` says so. */
function awayWhile(isAway: (path: string) => boolean) {
  const store = new MemoryStore();
  return { store, seen: faultyStore(store, ({ path }) => (isAway(path) ? { failBefore: true } : undefined)) };
}

it("before the start, from the start on, and until it is told to stop", async () => {
  const timeline = new Timeline();
  const options = { store: new MemoryStore(), owner: "a", clock: timeline.clock() };
  const scheduler = new Scheduler([job("j", { cron: "0 0 1 1 *" }, nothing)], options);
  expect(reasons({ scheduler })).toEqual([{ reason: "it has not started yet" }]);
  scheduler.start();
  expect(reasons({ scheduler })).toEqual([{ job: "p.j", reason: expect.stringContaining("not been able") }]);
  await timeline.pass(1000);
  expect(reasons({ scheduler })).toEqual([]);
  const stopped = scheduler.stop();
  expect(reasons({ scheduler })).toEqual([{ reason: "it is stopping" }]);
  await stopped;
  expect(reasons({ scheduler })).toEqual([{ reason: "it is stopping" }]);
});

it("a run that fails, and one that another process has, are no matter of it", async () => {
  const timeline = new Timeline();
  const store = new MemoryStore();
  const start = (owner: string) =>
    startProcess(timeline, store, owner, (clock) => [
      job("fails", { cron: "* * * * *", retries: 0 }, async () => {
        throw away();
      }),
      job("long", { cron: "0 * * * *" }, async () => clock.sleep(30 * MINUTE)),
      job("follows", { follow: true }, nothing, {
        follow: async ({ signal }) => clock.sleep(600 * MINUTE, signal),
      }),
    ]);
  const both = [start("a"), start("b")];
  await timeline.pass(65 * MINUTE);
  expect(both.map(({ scheduler }) => scheduler.state.jobs.filter((j) => j.running).length)).toContain(0);
  expect(both.flatMap(({ scheduler }) => scheduler.state.jobs.map((j) => j.runs.failed))).toContain(65);
  expect(both.map(reasons)).toEqual([[], []]);
  const stopped = Promise.all(both.map(({ scheduler }) => scheduler.stop()));
  await timeline.pass(60 * MINUTE);
  await stopped;
});

it("a lake that is away makes it unready, and ready again when it is back, though nothing is due for long", async () => {
  const timeline = new Timeline();
  let isAway = true;
  const { store, seen } = awayWhile(() => isAway);
  const jobs = () => [
    job("yearly", { cron: "0 0 1 7 *" }, nothing),
    job("follows", { follow: true }, nothing, {
      follow: async ({ signal }) => clock.sleep(60 * MINUTE, signal),
    }),
  ];
  const clock = timeline.clock();
  const a = startProcess(timeline, seen, "a", jobs);
  await timeline.pass(MINUTE);
  expect(reasons(a)).toEqual([
    { job: "p.yearly", reason: expect.any(String), code: expect.any(String) },
    { job: "p.follows", reason: expect.any(String), code: expect.any(String) },
  ]);
  isAway = false;
  // Another has the lease of what follows, all the time.
  const b = startProcess(timeline, store, "b", jobs);
  await timeline.pass(2 * MINUTE);
  expect([reasons(a), reasons(b)]).toEqual([[], []]);
  expect(a.events).toContainEqual({ event: "working", job: "p.yearly", again: true });
  const stopped = Promise.all([a.scheduler.stop(), b.scheduler.stop()]);
  await timeline.pass(1);
  await stopped;
});

it("following that fails each time it begins stays unready, until it has caught up", async () => {
  const timeline = new Timeline();
  let fails = true;
  const a = startProcess(timeline, new MemoryStore(), "a", (clock) => [
    job("f", { follow: true, cron: "* * * * *" }, nothing, {
      follow: async ({ signal, onCaughtUp }) => {
        await clock.sleep(2_000, signal);
        if (fails) throw away();
        onCaughtUp();
        await clock.sleep(600 * MINUTE, signal);
      },
    }),
  ]);
  const seen = new Set<number>();
  await timeline.pass(3_000);
  await timeline.pass(10 * MINUTE, () => seen.add(reasons(a).length));
  expect(seen).toEqual(new Set([1]));
  fails = false;
  await timeline.pass(2 * MINUTE);
  expect(reasons(a)).toEqual([]);
  const stopped = a.scheduler.stop();
  await timeline.pass(1);
  await stopped;
});

it("a stream that is lost makes it unready at once, whatever runs meanwhile, until changes come again", async () => {
  const timeline = new Timeline();
  const a = startProcess(timeline, new MemoryStore(), "a", (clock) => [
    job("f", { follow: true, cron: "* * * * *" }, nothing, {
      follow: async ({ signal, onCaughtUp, onLost }) => {
        onCaughtUp();
        await clock.sleep(90_000, signal);
        onLost(away(), 60_000);
        await clock.sleep(2 * MINUTE, signal);
        onLost(away(), 60_000);
        await clock.sleep(MINUTE, signal);
        onCaughtUp();
        await clock.sleep(600 * MINUTE, signal);
      },
    }),
  ]);
  const seen: unknown[] = [];
  const look = () => {
    const [{ following, trouble } = {}] = a.scheduler.state.jobs;
    const state = { following, trouble: trouble?.code, ready: reasons(a).length === 0 };
    if (JSON.stringify(seen.at(-1)) !== JSON.stringify(state)) seen.push(state);
  };
  await timeline.pass(1000);
  await timeline.pass(10 * MINUTE, look);
  const well = { following: true, trouble: undefined, ready: true };
  expect(seen).toEqual([well, { following: false, trouble: "AWAY", ready: false }, well]);
  // It runs what is due all the same.
  expect(a.scheduler.state.jobs[0]?.runs.succeeded).toBe(10);
  expect(named(a.events).filter((name) => /follow|trouble/.test(name))).toEqual([
    ...["following", "trouble", "trouble", "following"],
  ]);
  expect(a.events).toContainEqual({ event: "working", job: "p.f", again: true });
  const stopped = a.scheduler.stop();
  await timeline.pass(1);
  await stopped;
});

it("where what became of a run cannot be recorded it is unready until it can, and that is told", async () => {
  const timeline = new Timeline();
  let isRefused = true;
  const { seen } = awayWhile((path) => isRefused && isResult(path));
  const tracing = newTracing();
  const trace = traceRuns(tracing);
  const known = new OwnJobs("a", 5 * MINUTE, () => clock.now());
  const clock = timeline.clock();
  const a = startProcess(timeline, seen, "a", () => [job("j", often, () => clock.sleep(20_000))], {
    onEvent: (event) => {
      trace(event);
      known.note(event);
    },
  });
  const isReady: boolean[] = [];
  const look = () => {
    const ready = reasons(a).length === 0;
    if (isReady.at(-1) !== ready) isReady.push(ready);
  };
  // Its first run is due after a minute, and ends 20 s later.
  await timeline.pass(85_000, look);
  expect(isReady.slice(-2)).toEqual([true, false]);
  expect(a.events).toContainEqual(expect.objectContaining({ event: "run left", reason: "not recorded" }));
  await timeline.pass(4 * MINUTE, look);
  expect(known.verdicts("p")).toEqual([]);
  isReady.length = 0;
  await timeline.pass(55 * MINUTE, () => {
    look();
    if (clock.elapsed() > 6 * 60_000 + 30_000) expect(known.verdicts("p")).toHaveLength(1);
  });
  expect(isReady).toEqual([false]);
  expect(a.scheduler.state.jobs[0]?.runs.failed).toBe(0);
  isRefused = false;
  await timeline.pass(3 * MINUTE, look);
  expect(isReady).toEqual([false, true]);
  expect(known.verdicts("p")).toEqual([]);
  const stopped = a.scheduler.stop();
  await timeline.pass(MINUTE);
  await stopped;
  expect(tracing.runs.size).toBe(0);
  expect(a.scheduler.state.jobs[0]?.running).toBeUndefined();
  // Nobody died of it.
  expect(a.events.flatMap((event) => (event.event === "run started" ? [event.deaths] : []))).toContain(0);
  expect(
    a.events.flatMap((event) => (event.event === "run started" && event.deaths > 0 ? [event] : [])),
  ).toEqual([]);
});

it("of two that cannot record what became of a run neither is ready, until another can", async () => {
  const timeline = new Timeline();
  const { store, seen } = awayWhile(isResult);
  const jobs = (clock: ProcessClock) => [job("j", often, () => clock.sleep(20_000))];
  const both = ["a", "b"].map((owner) => startProcess(timeline, seen, owner, jobs));
  const ready = new Set<number>();
  await timeline.pass(20 * MINUTE);
  await timeline.pass(20 * MINUTE, () => ready.add(both.flatMap(reasons).length));
  expect(ready).toEqual(new Set([2]));
  const c = startProcess(timeline, store, "c", jobs);
  await timeline.pass(10 * MINUTE);
  expect(c.scheduler.state.jobs[0]?.runs.succeeded).toBeGreaterThan(0);
  const stopped = Promise.all([...both, c].map(({ scheduler }) => scheduler.stop()));
  await timeline.pass(MINUTE);
  await stopped;
});

it("where a run cannot be claimed it is unready all the time, also with another that cannot", async () => {
  const timeline = new Timeline();
  let isRefused = true;
  const { seen } = awayWhile((path) => isRefused && path.includes(".claim-"));
  const jobs = (clock: ProcessClock) => [job("j", often, () => clock.sleep(300_000))];
  const both = ["a", "b"].map((owner) => startProcess(timeline, seen, owner, jobs));
  const ready = new Set<number>();
  await timeline.pass(5 * MINUTE);
  await timeline.pass(20 * MINUTE, () => ready.add(both.flatMap(reasons).length));
  expect(ready).toEqual(new Set([2]));
  isRefused = false;
  await timeline.pass(2 * MINUTE);
  // One has begun a long run, and that is as it should be.
  const running = both.filter(({ scheduler }) => scheduler.state.jobs.some((one) => one.running));
  expect(running.map(reasons)).toEqual([[]]);
  await timeline.pass(10 * MINUTE);
  expect(both.map(reasons)).toEqual([[], []]);
  const stopped = Promise.all(both.map(({ scheduler }) => scheduler.stop()));
  await timeline.pass(10 * MINUTE);
  await stopped;
});

it("what follows is unready, too, while its runs cannot be recorded, though it has caught up", async () => {
  const timeline = new Timeline();
  let isRefused = true;
  const { seen } = awayWhile((path) => isRefused && isResult(path));
  const a = startProcess(timeline, seen, "a", (clock) => [
    job("f", { follow: true, ...often }, nothing, {
      follow: async ({ signal, onCaughtUp }) => {
        onCaughtUp();
        await clock.sleep(600 * MINUTE, signal);
      },
    }),
  ]);
  const ready = new Set<number>();
  await timeline.pass(2 * MINUTE);
  await timeline.pass(10 * MINUTE, () => ready.add(reasons(a).length));
  expect(ready).toEqual(new Set([1]));
  isRefused = false;
  await timeline.pass(3 * MINUTE);
  expect(reasons(a)).toEqual([]);
  const stopped = a.scheduler.stop();
  await timeline.pass(1);
  await stopped;
});

it("one that could not record a run is ready again when another follows and records them", async () => {
  const timeline = new Timeline();
  const { store, seen } = awayWhile(isResult);
  const jobs = () => [
    job("f", { follow: true, ...often }, nothing, {
      follow: async ({ signal, onCaughtUp }) => {
        onCaughtUp();
        await a.clock.sleep(600 * MINUTE, signal);
      },
    }),
  ];
  const a = startProcess(timeline, seen, "a", jobs);
  await timeline.pass(2 * MINUTE);
  expect(reasons(a)).toHaveLength(1);
  const b = startProcess(timeline, store, "b", jobs);
  await timeline.pass(5 * MINUTE);
  expect(b.scheduler.state.jobs[0]?.following).toBe(true);
  expect([reasons(a), reasons(b)]).toEqual([[], []]);
  const stopped = Promise.all([a.scheduler.stop(), b.scheduler.stop()]);
  await timeline.pass(1);
  await stopped;
});

it("a run that could not be begun and is missed by now makes nothing unready", async () => {
  const timeline = new Timeline();
  const { seen } = awayWhile((path) => path.includes(".claim-"));
  const a = startProcess(timeline, seen, "a", () => [
    job("j", { cron: "1 0 * * *", missed: "skip" }, nothing),
  ]);
  await timeline.pass(MINUTE + 10_000);
  expect(reasons(a)).toHaveLength(1);
  await timeline.pass(5 * MINUTE);
  expect(reasons(a)).toEqual([]);
  const stopped = a.scheduler.stop();
  await timeline.pass(1);
  await stopped;
});
