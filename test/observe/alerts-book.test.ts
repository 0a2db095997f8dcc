/** What becomes of verdicts: when something is told, again, and no more. */
import { expect, it } from "vitest";
import {
  afterTelling,
  type Book,
  EMPTY,
  noticesOf,
  readBook,
  settle,
  writeBook,
} from "../../jobs/observe/alerts-book.ts";
import type { Condition } from "../../jobs/observe/alerts-condition.ts";
import { alertMessage } from "../../jobs/observe/alerts-message.ts";
import { nextBaselines, observedVerdicts, vanished } from "../../jobs/observe/alerts-observed.ts";
import type { Observation } from "../../jobs/observe/observation.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { full } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { defineTable, integer, timestamp } from "../../schemas/index.ts";

const HOUR = 3_600_000;
const condition = (more: Partial<Condition> = {}): Condition => ({
  alert: "failure",
  subject: "p.j",
  since: 1_000,
  summary: "p.j failed",
  details: {},
  next: "Look.",
  ...more,
});
const bad = (key = "run p.j", more: Partial<Condition> = {}) => ({ key, condition: condition(more) });
const told = (book: Book, now: number) =>
  noticesOf(book, now, 24 * HOUR).reduce((after, notice) => afterTelling(after, notice, now), book);
const due = (book: Book, now: number) => noticesOf(book, now, 24 * HOUR).map(({ key }) => key);

it("tells what is wrong once, after a day again, and once that it is over", () => {
  let book = settle(EMPTY, [bad()], 2_000);
  const [incident] = book.incidents;
  expect(due(book, 2_000)).toEqual([`${incident?.id}:firing:0`]);
  book = told(book, 2_000);
  expect(due(book, 2_000)).toEqual([]);
  book = settle(book, [bad("run p.j", { since: 9_000, runId: "2", summary: "still" })], 9_000);
  expect(due(book, 9_000)).toEqual([]);
  expect(book.incidents).toMatchObject([{ since: 1_000, runId: "2", summary: "still" }]);
  expect(due(book, 2_000 + 24 * HOUR - 1)).toEqual([]);
  expect(due(book, 2_000 + 24 * HOUR)).toEqual([`${incident?.id}:firing:1`]);
  book = told(book, 2_000 + 24 * HOUR);
  book = settle(book, [{ key: "run p.j" }], 3 * 24 * HOUR);
  expect(due(book, 3 * 24 * HOUR)).toEqual([`${incident?.id}:resolved:2`]);
  book = told(book, 3 * 24 * HOUR);
  expect(book.incidents).toEqual([]);
  // Another time it is something else.
  book = settle(book, [bad()], 4 * 24 * HOUR);
  expect(book.incidents[0]?.id).not.toBe(incident?.id);
});

it("is the very same where nothing is new, and tells of what was over before it could be told", () => {
  expect(settle(EMPTY, [{ key: "run p.j" }], 1)).toBe(EMPTY);
  const book = settle(EMPTY, [bad()], 1);
  expect(settle(book, [bad()], 2)).toBe(book);
  const over = settle(book, [{ key: "run p.j" }, bad(), { key: "run p.j" }], 3);
  expect(noticesOf(over, 3, HOUR).map(({ state }) => state)).toEqual(["resolved", "resolved"]);
  let many = EMPTY;
  for (let i = 0; i < 500; i++) many = settle(many, [bad(), { key: "run p.j" }], i);
  expect(many.incidents).toHaveLength(200);
  expect(many.incidents.at(-1)?.resolvedAt).toBe(499);
});

it("is told again when there is twice as much of it", () => {
  const rows = (size: number) => bad("quarantine silver.t", { alert: "quarantine", size });
  let book = told(settle(EMPTY, [rows(5)], 1), 1);
  book = settle(book, [rows(9)], 2);
  expect(due(book, 2)).toEqual([]);
  book = told(settle(book, [rows(10)], 3), 3);
  expect(due(settle(book, [rows(19)], 4), 4)).toEqual([]);
  expect(due(settle(book, [rows(20)], 4), 4)).toHaveLength(1);
});

it("a slot that was told of as a burden is told of again when it is lost, and not when it is only a burden again", () => {
  const slot = (status: "idle" | "lost", retainedBytes: number) =>
    observedVerdicts(pipeline, seen({ slots: [{ pipeline: "p", slot: "s", status, retainedBytes }] }), {});
  const burden = slot("idle", 2 ** 30);
  let book = told(settle(EMPTY, burden, 1), 1);
  book = settle(book, slot("lost", 0), 2);
  expect(due(book, 2)).toEqual([`${book.incidents[0]?.id}:firing:1`]);
  // What was said of it before is said no more.
  expect(book.incidents[0]).not.toHaveProperty("size");
  book = told(book, 2);
  for (const [at, verdicts] of [burden, slot("lost", 0), burden].entries()) {
    book = settle(book, verdicts, 3 + at);
    expect(due(book, 3 + at)).toEqual([]);
  }
});

it("is in the lake as it is, and empty where it cannot be read", async () => {
  const store = new MemoryStore();
  expect(await readBook(store, "p")).toEqual(EMPTY);
  const book = told(settle({ ...EMPTY, baselines: { "silver.t": 3 } }, [bad()], 1), 1);
  await writeBook(store, "p", book);
  expect(await readBook(store, "p")).toEqual(book);
  await store.put("_ingot/alerts/p/book.json", Buffer.from('{"incidents":'));
  expect(await readBook(store, "p")).toEqual(EMPTY);
});

it("a message calls nobody and holds no secret", () => {
  const [notice] = noticesOf(
    settle(EMPTY, [bad("run p.j", { summary: "<!channel> & postgres://u:hunter2@h/d" })], 1),
    1,
    1,
  );
  if (notice === undefined) throw new Error("nothing is told");
  const message = alertMessage("p", notice);
  expect(message.text).toMatch(/^&lt;!channel&gt; &amp; /);
  expect(message).toMatchObject({
    alert: "failure",
    state: "firing",
    pipeline: "p",
    since: "1970-01-01T00:00:01.000Z",
  });
  expect(JSON.stringify(message)).not.toContain("hunter2");
});

const pipeline: PipelineDefinition = {
  name: "p",
  source: postgres({ changes: "wal", tables: { t: {} }, wal: { warnMegabytes: 10 } }),
};
const seen = (more: Partial<Observation>): Observation => {
  return { at: 100_000, tables: [], quarantines: [], slots: [], published: [], errors: [], ...more };
};
const held = (name: string, rows: number) => ({ pipeline: "p", table: name, rows });
const late = (what: string) => ({ what, error: { message: "late" } });
const dated: PipelineDefinition = {
  ...pipeline,
  gold: {
    t: full(
      defineTable({
        name: "t",
        description: "t",
        key: ["id"],
        columns: { id: integer(), seen: timestamp() },
        freshness: { column: "seen", within: 1 },
      }),
    ),
  },
};
const table = { pipeline: "p", table: "gold.t", rows: 1, version: 1, ageMs: 5 };

it("a table is stale when its newest value is older than it may be", () => {
  const fresh = (lagMs: number) => [{ ...table, freshness: { lagMs, allowedMs: 60_000 } }];
  const verdicts = (lag: number) => observedVerdicts(pipeline, seen({ tables: fresh(lag) }), {});
  expect(verdicts(60_000)).toEqual([{ key: "stale gold.t" }]);
  expect(verdicts(60_001)).toMatchObject([
    { key: "stale gold.t", condition: { alert: "staleness", subject: "gold.t", since: 99_999 } },
  ]);
  // What says nothing of it, and another pipeline's, has no verdict.
  expect(observedVerdicts(pipeline, seen({ tables: [table, { ...table, pipeline: "q" }] }), {})).toEqual([]);
});

it("rows in quarantine are news when there are more than there were", () => {
  const look = (rows: number) => seen({ quarantines: [held("silver.t", rows)] });
  let baselines: Readonly<Record<string, number>> | undefined;
  const sizes = [5, 6, 4, 5, 0, 1].map((rows) => {
    baselines = nextBaselines("p", look(rows), baselines);
    return observedVerdicts(pipeline, look(rows), baselines)[0]?.condition?.size;
  });
  expect(sizes).toEqual([undefined, 1, undefined, 1, undefined, 1]);
  // Of a table that comes later every row is news.
  expect(nextBaselines("p", look(3), {})).toEqual({ "silver.t": 0 });
});

it("a table that could not be looked at first is taken as it is when it can, the others from the beginning", () => {
  const looks: Partial<Observation>[] = [
    { quarantines: [held("silver.a", 1)], errors: [late("quarantine p.silver.b"), late("published p/m")] },
    { quarantines: [held("silver.a", 2)], errors: [late("quarantine p.silver.b")] },
    { quarantines: [held("silver.a", 2), held("silver.b", 7)] },
    { quarantines: [held("silver.a", 2), held("silver.b", 8)] },
  ];
  let baselines: Readonly<Record<string, number>> | undefined;
  const sizes = looks.map((look) => {
    baselines = nextBaselines("p", seen(look), baselines);
    return observedVerdicts(pipeline, seen(look), baselines).map(({ condition }) => condition?.size);
  });
  expect(sizes).toEqual([[undefined], [1], [1, undefined], [1, 1]]);
});

it("what is no longer spoken of is gone, unless the part that would speak of it failed", () => {
  const keys = ["run p.j", "stale gold.t", "stale gold.was", "quarantine silver.t", "slot ingot_p"];
  const gone = (...parts: string[]) => vanished(dated, { errors: parts.map(late) }, keys);
  // The table of a contract that wants it fresh may have been emptied.
  expect(gone()).toEqual(["stale gold.was", "quarantine silver.t", "slot ingot_p"]);
  expect(gone("table p.gold.was", "slots")).toEqual(["quarantine silver.t"]);
  expect(gone("freshness p.gold.was", "quarantine p.silver.t", "slot p")).toEqual([]);
  expect(gone("table p.silver.t", "quarantine q.silver.t", "published p/m", "slot q")).toEqual(gone());
  const emptied = seen({ tables: [{ ...table, rows: 0 }] });
  expect(observedVerdicts(dated, emptied, {})).toEqual([]);
});

it.each([
  ["in use", 10 * 2 ** 20, true],
  ["idle", 10 * 2 ** 20 - 2 ** 19 - 1, false],
  ["lost", 0, true],
] as const)("a slot that is %s and keeps %d bytes", (status, retainedBytes, isWrong) => {
  const slot = { pipeline: "p", slot: "ingot_p", status, retainedBytes };
  const [verdict] = observedVerdicts(pipeline, seen({ slots: [slot] }), {});
  expect(verdict?.key).toBe("slot ingot_p");
  expect(verdict?.condition !== undefined).toBe(isWrong);
});

it("a slot that is missing is wrong once tables were loaded", () => {
  const slots = [{ pipeline: "p", slot: "ingot_p", status: "missing" }] as const;
  expect(observedVerdicts(pipeline, seen({ slots }), {})).toEqual([{ key: "slot ingot_p" }]);
  const loaded = seen({ slots, tables: [{ ...table, table: "bronze.t" }] });
  expect(observedVerdicts(pipeline, loaded, {})[0]?.condition).toMatchObject({ alert: "slot" });
  // Whether they were cannot be seen now.
  expect(observedVerdicts(pipeline, seen({ slots, errors: [late("table p.bronze.t")] }), {})).toEqual([]);
});
