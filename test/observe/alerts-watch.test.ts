/** Watches of several processes over one lake, by clocks of the test, and a real receiver. */
import { expect, it } from "vitest";
import { JudgedRuns } from "../../jobs/observe/alerts-records.ts";
import type { SchedulerEvent } from "../../jobs/scheduler/events.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { RunRecords } from "../../layers/schedule/run-records.ts";
import { EPOCH } from "../lease/timeline.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { type Received, useReceiver } from "./receiver.ts";
import { MINUTE, newWatchedLake, type Process } from "./watched-lake.ts";

const receiver = useReceiver();
const HOUR = 60 * MINUTE;

const body = ({ body: text }: Received) => JSON.parse(text);
const trouble = { event: "trouble", job: "p.j", error: { message: "no route" }, retryInMs: 1 } as const;
const states = (received: readonly Received[]) => received.map((got) => body(got).state);
const said = ({ events }: Process, name: SchedulerEvent["event"]) =>
  events.filter(({ event }) => event === name).length;

it("of two processes one tells that a run failed for good, once, and once that it is well again", async () => {
  const { start, ended, until, timeline, stop } = newWatchedLake(receiver);
  const [a, b] = [start("a"), start("b")];
  const told = () => said(a, "alert") + said(b, "alert");
  await ended("failed");
  await until(() => told() === 1);
  await ended("failed");
  await timeline.pass(HOUR);
  expect(receiver.received).toHaveLength(1);
  await ended("succeeded");
  await until(() => told() === 2);
  const [first, second] = receiver.received.map(body);
  expect(first).toMatchObject({
    alert: "failure",
    state: "firing",
    pipeline: "p",
    subject: "p.j",
    runId: "run-1",
    since: "2026-01-01T00:01:00.000Z",
    summary: "p.j failed: it is away (AWAY)",
    text: expect.stringMatching(/^p\.j failed: it is away/),
    details: { attempts: 3, status: "failed" },
    next: expect.stringContaining("ingot schedule run p.j"),
  });
  expect(second).toMatchObject({
    state: "resolved",
    id: first.id,
    summary: expect.stringMatching(/^Resolved: /),
  });
  expect(receiver.received[0]?.headers).toMatchObject({
    "idempotency-key": `${first.id}:firing:0`,
    "ingot-signature": expect.stringMatching(/^t=\d+,v1=[0-9a-f]{64}$/),
  });
  await stop();
});

it("of a schedule that follows changes nobody is told to ask for a run: there is none", async () => {
  const store = new MemoryStore();
  const due = new Date(EPOCH).toISOString();
  const run = { due, startedAt: due, endedAt: due, attempts: 1, runId: "r", owner: "a", epoch: 1 };
  await new RunRecords(store, "p.live").finish(EPOCH, { ...run, status: "failed" }, []);
  const next = async (follows: boolean) => {
    const runs = new JudgedRuns(store, [{ name: "p.live", follows }], MINUTE, () => EPOCH);
    return (await runs.judge({}, [])).verdicts.map(({ condition }) => condition?.next);
  };
  expect(await next(true)).toEqual([expect.stringMatching(/its next due time runs it again\.$/)]);
  expect(await next(false)).toEqual([expect.stringMatching(/`ingot schedule run p\.live` runs it now\.$/)]);
});

it("a run that somebody asked for ends a failure that came before it, and no later one", async () => {
  const { start, ended, asked, until, timeline, stop } = newWatchedLake(receiver);
  const a = start("a");
  await ended("failed");
  await until(() => said(a, "alert") === 1);
  await asked("failed");
  await timeline.pass(MINUTE);
  expect(receiver.received).toHaveLength(1);
  await asked("succeeded");
  await until(() => said(a, "alert") === 2);
  await ended("failed");
  await until(() => said(a, "alert") === 3);
  await timeline.pass(HOUR);
  expect(states(receiver.received)).toEqual(["firing", "resolved", "firing"]);
  await stop();
});

it("tells of a run that failed though the next one went well before anybody looked", async () => {
  const { start, ended, until, timeline, stop } = newWatchedLake(receiver);
  await ended("succeeded");
  const a = start("a");
  await timeline.pass(5_000);
  await ended("failed");
  await ended("succeeded");
  await until(() => said(a, "alert") === 1);
  expect(states(receiver.received)).toEqual(["resolved"]);
  await stop();
});

it("one that is killed after it has told, before it could note it, is followed by one that tells it again under the same id", async () => {
  const { start, store, ended, until, stop } = newWatchedLake(receiver);
  let notes = 0;
  const dying = faultyStore(store, ({ method, path }) => {
    if (method !== "put" || !path.endsWith("book.json")) return undefined;
    // It is written when the observation came, when the run was seen, and after it was told.
    const isTold = receiver.received.length > 0;
    if (isTold) notes += 1;
    return isTold ? { before: async () => a.clock.stop(), failBefore: true } : undefined;
  });
  const a = start("a", { store: dying });
  await ended("timed out");
  await until(() => notes > 0);
  const b = start("b");
  await until(() => said(b, "alert") === 1);
  const [first, again] = receiver.received;
  expect(receiver.received).toHaveLength(2);
  expect(again?.headers["idempotency-key"]).toBe(first?.headers["idempotency-key"]);
  expect(body(again as Received).id).toBe(body(first as Received).id);
  a.clock.resume();
  await stop();
});

it("tells again after a day, whoever is left", async () => {
  const { start, ended, until, timeline, stop } = newWatchedLake(receiver);
  const a = start("a");
  await ended("failed");
  await until(() => said(a, "alert") === 1);
  await a.stop();
  const b = start("b");
  await timeline.pass(23 * HOUR);
  expect(receiver.received).toHaveLength(1);
  await until(() => said(b, "alert") === 1);
  expect(states(receiver.received)).toEqual(["firing", "firing"]);
  expect(receiver.received[1]?.headers["idempotency-key"]).toMatch(/:firing:1$/);
  await stop();
}, 300_000);

it.each([
  [500, 3, "status 500"],
  [302, 3, "redirect"],
  [404, 1, "status 404"],
])(
  "a receiver that answers %d is tried %d times, then later, and its address is not told",
  async (status, tries, why) => {
    const { start, ended, until, stop } = newWatchedLake(receiver);
    receiver.answer((response) =>
      response.writeHead(status, { location: `${receiver.url}/elsewhere` }).end(),
    );
    const a = start("a");
    await ended("failed");
    await until(() => said(a, "alert failed") === 1);
    expect(receiver.received).toHaveLength(tries);
    expect(receiver.received.every(({ path }) => path.startsWith("/alerts"))).toBe(true);
    const [failed] = a.events;
    expect(failed).toMatchObject({
      event: "alert failed",
      pipeline: "p",
      error: { code: "ALERT_NOT_DELIVERED", message: expect.stringContaining(why) },
      retryInMs: 15_000,
    });
    await until(() => said(a, "alert failed") === 3);
    expect(a.events.map((event) => "retryInMs" in event && event.retryInMs)).toEqual([
      15_000, 30_000, 60_000,
    ]);
    expect(JSON.stringify(a.events)).not.toContain("hunter2");
    expect(JSON.stringify(a.events)).not.toContain("/alerts");
    receiver.answer((response) => response.writeHead(204).end());
    await until(() => said(a, "alert") === 1);
    await stop();
  },
);

it("one alert that is refused does not keep the others from being told", async () => {
  const { start, ended, see, until, stop } = newWatchedLake(receiver);
  const lag = { lagMs: 90_000, allowedMs: 60_000 };
  receiver.answer((response, { body: text }) =>
    response.writeHead(JSON.parse(text).alert === "failure" ? 400 : 204).end(),
  );
  // Of the two it began later.
  see({
    at: EPOCH + 10 * MINUTE,
    tables: [{ pipeline: "p", table: "gold.t", rows: 1, version: 1, ageMs: 1, freshness: lag }],
  });
  const a = start("a");
  await ended("failed");
  await until(() => said(a, "alert") === 1 && said(a, "alert failed") >= 1);
  expect(a.events).toContainEqual(expect.objectContaining({ event: "alert", alert: "staleness" }));
  await stop();
});

it("a refused alert comes later and later, whatever is told meanwhile", async () => {
  const { start, ended, see, timeline, until, stop } = newWatchedLake(receiver);
  const refusedAt: number[] = [];
  const clock = timeline.clock();
  receiver.answer((response, { body: text }) => {
    const isRefused = JSON.parse(text).alert === "failure";
    if (isRefused) refusedAt.push(clock.elapsed());
    response.writeHead(isRefused ? 400 : 204).end();
  });
  const a = start("a");
  await ended("failed");
  for (let rows = 1; rows < 2 ** 9; rows *= 2) {
    see({ quarantines: [{ pipeline: "p", table: "silver.t", rows }] });
    const before = said(a, "alert");
    // The first look takes what is there as it is; the next one has more, each time twice as much.
    await (rows === 1 ? timeline.pass(5 * MINUTE) : until(() => said(a, "alert") > before));
  }
  await until(() => said(a, "alert failed") === 7);
  const failed = a.events.flatMap((event) =>
    event.event === "alert failed" ? [event.retryInMs / 1000] : [],
  );
  expect(failed).toEqual([15, 30, 60, 120, 240, 480, 600]);
  expect(said(a, "alert")).toBe(8);
  await stop();
});

it("what could not be looked at is not well again, what is gone is", async () => {
  const { start, see, until, timeline, stop } = newWatchedLake(receiver);
  const lag = { lagMs: 90_000, allowedMs: 60_000 };
  const stale = { pipeline: "p", table: "gold.t", rows: 1, version: 1, ageMs: 1, freshness: lag };
  see({ tables: [stale] });
  const a = start("a");
  await until(() => said(a, "alert") === 1);
  see({ errors: [{ what: "table p.gold.t", error: { message: "late" } }] });
  await timeline.pass(10 * MINUTE);
  expect(receiver.received).toHaveLength(1);
  see({});
  await until(() => said(a, "alert") === 2);
  expect(states(receiver.received)).toEqual(["firing", "resolved"]);
  await stop();
});

it("rows in quarantine are told of while something else cannot be looked at", async () => {
  const { start, see, until, timeline, stop } = newWatchedLake(receiver);
  const errors = [{ what: "published p/m", error: { message: "redis is gone" } }];
  const rows = (count: number) => [{ pipeline: "p", table: "silver.t", rows: count }];
  see({ quarantines: rows(3), errors });
  const a = start("a");
  await timeline.pass(5 * MINUTE);
  see({ quarantines: rows(4), errors });
  await until(() => said(a, "alert") === 1);
  see({ quarantines: rows(3), errors });
  await until(() => said(a, "alert") === 2);
  expect(receiver.received.map((got) => body(got).summary)).toEqual([
    "p.silver.t has 4 rows in quarantine, 1 more than there were",
    expect.stringMatching(/^Resolved: /),
  ]);
  await stop();
});

it("a record that says nothing is told of, and keeps nothing else from being told", async () => {
  const { start, store, ended, see, until, stop } = newWatchedLake(receiver);
  await ended("succeeded");
  await store.put("_ingot/schedule/p.j/runs/20260101T000200Z.done.json", new Uint8Array());
  see({ slots: [{ pipeline: "p", slot: "s", status: "lost" }] });
  const a = start("a");
  a.watch.note(trouble);
  await until(() => said(a, "alert") === 3);
  const summaries = () => receiver.received.map((got) => body(got).summary);
  expect(summaries().toSorted()).toEqual([
    "p.j cannot work: no route",
    "p: replication slot s is lost",
    expect.stringMatching(/^what became of a run of p\.j cannot be understood: /),
  ]);
  // The next one is judged by its own.
  await ended("failed");
  await ended("failed");
  await ended("succeeded");
  await until(() => said(a, "alert") >= 4);
  expect(states(receiver.received).at(-1)).toBe("resolved");
  await stop();
});

it("records that cannot be read are told of after a while, and judged when they can", async () => {
  const { start, store, ended, see, until, timeline, stop } = newWatchedLake(receiver);
  await ended("succeeded");
  let isAway = true;
  const away = faultyStore(store, ({ path }) => ({
    failBefore: isAway && path.startsWith("_ingot/schedule/p.j/"),
  }));
  see({ slots: [{ pipeline: "p", slot: "s", status: "lost" }] });
  const a = start("a", { store: away });
  await until(() => said(a, "alert") === 1);
  await ended("failed");
  await timeline.pass(4 * MINUTE);
  expect(receiver.received.map((got) => body(got).alert)).toEqual(["slot"]);
  await until(() => said(a, "alert") === 2);
  expect(body(receiver.received[1] as Received)).toMatchObject({
    alert: "failure",
    summary: expect.stringMatching(/^the runs of p\.j cannot be judged: /),
  });
  isAway = false;
  await until(() => said(a, "alert") === 4);
  const last = receiver.received.slice(2).map((got) => body(got).summary);
  expect(last.toSorted()).toEqual([
    expect.stringMatching(/^Resolved: the runs/),
    expect.stringMatching(/^p\.j failed/),
  ]);
  await stop();
});

it("tells only of what it is asked to", async () => {
  const { start, ended, timeline, stop } = newWatchedLake(receiver);
  start("a", { on: ["slot"] });
  await ended("failed");
  await timeline.pass(HOUR);
  expect(receiver.received).toEqual([]);
  await stop();
});

it("what only one process knows is told by the one that tells, until it is well or dead", async () => {
  const { start, until, timeline, stop } = newWatchedLake(receiver);
  const a = start("a");
  await timeline.pass(MINUTE);
  const b = start("b");
  b.watch.note(trouble);
  await timeline.pass(4 * MINUTE);
  expect(receiver.received).toEqual([]);
  await until(() => said(a, "alert") === 1);
  expect(body(receiver.received[0] as Received)).toMatchObject({
    alert: "failure",
    subject: "p.j",
    summary: "p.j cannot work: no route",
    details: { owner: "b" },
  });
  b.watch.note({ event: "working", job: "p.j", again: true });
  await until(() => said(a, "alert") === 2);
  b.watch.note(trouble);
  await until(() => said(a, "alert") === 3);
  b.clock.stop();
  await until(() => said(a, "alert") === 4);
  expect(states(receiver.received)).toEqual(["firing", "resolved", "firing", "resolved"]);
  expect(said(b, "alert")).toBe(0);
  b.clock.resume();
  await stop();
});

it("runs after changes, which nobody records, are told of too", async () => {
  const { start, until, stop } = newWatchedLake(receiver);
  const a = start("a");
  const run = { job: "p.j", runId: "c1", due: new Date(EPOCH).toISOString() };
  a.watch.note({ event: "run started", ...run, epoch: 1, reason: "changes", missed: 0, deaths: 0 });
  const error = { message: "bad SQL" };
  a.watch.note({ event: "run ended", ...run, status: "failed", attempts: 1, durationMs: 1, error });
  await until(() => said(a, "alert") === 1);
  expect(body(receiver.received[0] as Received)).toMatchObject({
    runId: "c1",
    summary: "p.j fails after changes: bad SQL",
  });
  a.watch.note({ event: "run ended", ...run, runId: "c2", status: "succeeded", attempts: 1, durationMs: 1 });
  await until(() => said(a, "alert") === 2);
  expect(states(receiver.received)).toEqual(["firing", "resolved"]);
  await stop();
});

it("a lake that cannot be written is told of all the same, and not twice when it can", async () => {
  const { start, store, until, timeline, stop } = newWatchedLake(receiver);
  let isAway = true;
  const away = faultyStore(store, () => ({ failBefore: isAway }));
  const a = start("a", { store: away });
  a.watch.note(trouble);
  await until(() => said(a, "alert") === 1);
  expect(body(receiver.received[0] as Received).summary).toBe("p.j cannot work: no route");
  isAway = false;
  await timeline.pass(10 * MINUTE);
  expect(receiver.received).toHaveLength(1);
  a.watch.note({ event: "working", job: "p.j", again: true });
  await until(() => said(a, "alert") === 2);
  const [first, second] = receiver.received.map(body);
  expect(second).toMatchObject({ state: "resolved", id: first.id });
  await stop();
});

it("ends at once while a receiver takes its time", async () => {
  const { start, ended, until, stop } = newWatchedLake(receiver);
  receiver.answer(() => {});
  const a = start("a");
  await ended("failed");
  await until(() => receiver.received.length === 1);
  await stop();
  expect(a.events).toEqual([]);
});
