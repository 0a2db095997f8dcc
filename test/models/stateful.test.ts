/** Models made step by step: what is kept equals what is made from nothing, and costs the rows that came. */
import { mkdir, rename, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import type { TerminalError } from "../../lakehouse/errors.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { merge, stateful } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { runModelTest } from "../../layers/models/model-test.ts";
import { defineTable, long, text, timestamp } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { dyingLake } from "./dying-lake.ts";
import { type Change, writeChanges } from "./shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
let steps = 0;

const orders = defineTable({
  name: "orders",
  description: "orders",
  key: ["id"],
  columns: { id: long(), customer: long().nullable(), amount: long(), placed: timestamp() },
});
const taken = { customer: long(), id: long(), amount: long(), placed: timestamp() };

/** Orders of a customer with less than three hours between them. */
const sessions = stateful(
  defineTable({
    name: "sessions",
    description: "sessions",
    key: ["customer", "started"],
    columns: {
      customer: long(),
      started: timestamp(),
      placed: timestamp(),
      id: long(),
      orders: long(),
      total: long(),
    },
  }),
  {
    input: taken,
    by: ["customer"],
    order: ["placed", "id"],
    step(last, { placed, amount }) {
      steps += 1;
      const isNew = last === undefined || placed.getTime() - last.placed.getTime() >= 3 * 3_600_000;
      if (isNew) return [{ started: placed, orders: 1n, total: amount }];
      return [{ ...last, orders: last.orders + 1n, total: last.total + amount }];
    },
  },
);

/** What a customer has spent after each order; the key holds the order. */
const balances = stateful(
  defineTable({
    name: "balances",
    description: "balances",
    key: ["customer", "id"],
    columns: { customer: long(), id: long(), placed: timestamp(), balance: long() },
  }),
  {
    input: taken,
    by: ["customer"],
    order: ["placed", "id"],
    step: (last, { amount }) => [{ balance: (last?.balance ?? 0n) + amount }],
  },
);

/** One row a customer; orders of one hour follow the order of all columns; what is small changes nothing. */
const latest = stateful(
  defineTable({
    name: "latest",
    description: "latest",
    key: ["customer"],
    columns: { customer: long(), placed: timestamp(), trail: text() },
  }),
  {
    input: taken,
    by: ["customer"],
    order: ["placed"],
    step(last, { id, amount }) {
      if (last === undefined) return [{ trail: `${id}` }];
      return amount < 0n ? [] : [{ trail: `${last.trail} ${id}` }];
    },
  },
);

/** Two new rows for an order above 3, and the row before them changed; over bronze, as its changes came. */
const doubled = stateful(
  defineTable({
    name: "doubled",
    description: "doubled",
    key: ["id", "n"],
    columns: { id: long(), n: long(), lsn: long(), seq: long(), seen: text(), next: text().nullable() },
  }),
  {
    input: { id: long(), lsn: long(), seq: long(), op: text(), amount: long() },
    by: ["id"],
    order: ["lsn", "seq"],
    step(last, { op, amount }) {
      const n = last === undefined ? 0n : last.n + 1n;
      const row = { n, seen: op, next: null };
      if (amount <= 3n || last === undefined) return [row];
      return [{ ...last, next: op }, row, { ...row, n: n + 1n }];
    },
  },
);

/** A row an order, each with the one before it; those of one hour come in the opposite order of their keys. */
const labels = stateful(
  defineTable({
    name: "labels",
    description: "labels",
    key: ["customer", "label"],
    columns: { customer: long(), label: long(), placed: timestamp(), before: long().nullable() },
  }),
  {
    input: taken,
    by: ["customer"],
    order: ["placed"],
    step: (last, { id }) => [{ label: -id, before: last?.label ?? null }],
  },
);

const GOLD = { sessions, balances, latest, labels, doubled };
const SQL = "SELECT customer, id, amount, placed FROM silver.orders WHERE customer IS NOT NULL";
const FILES = {
  "silver/orders": `SELECT id, customer, coalesce(amount, 0) AS amount, make_timestamptz(1700000000000000 + hour * 3600000001) AS placed
    FROM bronze.orders WHERE status <> 'skip'`,
  "gold/sessions": SQL,
  "gold/balances": SQL,
  "gold/latest": SQL,
  "gold/labels": SQL,
  "gold/doubled": `SELECT id, _ingot_lsn AS lsn, _ingot_seq AS seq, _ingot_op AS op, coalesce(amount, 0) AS amount
    FROM bronze.orders WHERE id IS NOT NULL`,
};

const pipeline: PipelineDefinition = {
  name: "shop",
  folder: pathToFileURL(`${folder.path}/pipeline/`),
  source: postgres({ tables: { orders: {} } }),
  silver: { orders: merge(orders) },
  gold: GOLD,
};

beforeAll(async () => {
  await mkdir(`${folder.path}/pipeline/silver`, { recursive: true });
  await mkdir(`${folder.path}/pipeline/gold`);
  for (const [name, sql] of Object.entries(FILES))
    await writeFile(`${folder.path}/pipeline/${name}.sql`, sql);
});

const run = (lake: Lake, options: { anew?: string[]; select?: string[] } = {}) =>
  build({ lake, concurrency: 2, onProgress: ignoreProgress, ...options }, pipeline);

interface Order {
  readonly customer: number | null;
  readonly amount: number | null;
  readonly status: string;
  readonly hour: number;
}
const sql = (value: number | null) => (value === null ? "NULL" : String(value));
const change = (lsn: number, op: Change["op"], id: number, order: Partial<Order> = {}): Change => {
  const { customer = 1, amount = 1, status = "a", hour = 0 } = order;
  const values =
    op === "d" || op === "t"
      ? [op === "t" ? "NULL" : String(id), "NULL", "NULL", "NULL", "NULL"]
      : [String(id), sql(customer), sql(amount), `'${status}'`, String(hour)];
  return { op, values, lsn, seq: 1 };
};
const write = (lake: Lake, changes: readonly Change[]) => writeChanges(lake, duckdb, "orders", changes);

/** One model or several were stopped, and by nothing else. */
function expectKilled({ code, value }: TerminalError): void {
  const codes =
    code === "BUILD_FAILED" ? `${value}`.split("\n").map((line) => line.match(/\((\w+)\)$/)?.[1]) : [code];
  expect(new Set(codes)).toEqual(new Set(["TEST_KILLED"]));
}

async function tables(lake: Lake) {
  const found: Record<string, unknown> = {};
  for (const name of Object.keys(GOLD))
    found[name] = await queryTable(lake, `shop/gold/${name}`, "FROM t ORDER BY ALL");
  return found;
}

interface Sale {
  readonly customer: bigint;
  readonly id: bigint;
  readonly amount: bigint;
  readonly placed: string;
  /** Of `placed`, as a step sees it. */
  readonly ms: number;
}
type Rows = Record<string, unknown>[];

/** What the tables are to be, from the orders as they are and the changes as they came, without any state. */
async function expected(lake: Lake, changes: readonly Change[]): Promise<Record<string, Rows>> {
  const rows = await queryTable(
    lake,
    "shop/silver/orders",
    "SELECT *, epoch_ms(placed)::DOUBLE AS ms FROM t WHERE customer IS NOT NULL ORDER BY customer, placed, id",
  );
  const sales = rows as unknown as Sale[];
  return {
    sessions: sessionsOf(sales),
    balances: sales.map(({ customer, id, placed }, i) => ({
      customer,
      id,
      placed,
      balance: sales.slice(0, i + 1).reduce((t, r) => (r.customer === customer ? t + r.amount : t), 0n),
    })),
    latest: latestOf(sales),
    labels: sales.map(({ customer, id, placed }, i) => {
      const before = sales[i - 1];
      return { customer, label: -id, placed, before: before?.customer === customer ? -before.id : null };
    }),
    doubled: doubledOf(changes),
  };
}

function sessionsOf(sales: readonly Sale[]): Rows {
  const found: Rows = [];
  for (const [i, { customer, id, amount, placed, ms }] of sales.entries()) {
    const before = sales[i - 1];
    const session = found.at(-1);
    if (before?.customer !== customer || session === undefined || ms - before.ms >= 3 * 3_600_000) {
      const started = new Date(ms).toISOString().replace("Z", "000Z");
      found.push({ customer, started, placed, id, orders: 1n, total: amount });
    } else {
      const [count, total] = [session.orders as bigint, session.total as bigint];
      Object.assign(session, { placed, id, orders: count + 1n, total: total + amount });
    }
  }
  return found;
}

function latestOf(sales: readonly Sale[]): Rows {
  const found = new Map<bigint, { customer: bigint; placed: string; trail: string }>();
  for (const { customer, id, amount, placed } of sales) {
    const trail = found.get(customer)?.trail;
    const next = trail === undefined ? `${id}` : amount < 0n ? trail : `${trail} ${id}`;
    found.set(customer, { customer, placed, trail: next });
  }
  return [...found.values()];
}

function doubledOf(changes: readonly Change[]): Rows {
  const inOrder = changes.filter(({ op }) => op !== "t").sort((a, b) => a.lsn - b.lsn);
  const byId = new Map<string, Rows>();
  for (const { op, values, lsn, seq } of inOrder) {
    const [id = "", , amount] = values;
    const own = byId.get(id) ?? [];
    byId.set(id, own);
    const at = { id: BigInt(id), lsn: BigInt(lsn), seq: BigInt(seq), seen: op, next: null };
    const before = own.at(-1);
    const isMany = amount !== "NULL" && Number(amount) > 3 && before !== undefined;
    if (isMany) before.next = op;
    own.push({ ...at, n: BigInt(own.length) });
    if (isMany) own.push({ ...at, n: BigInt(own.length) });
  }
  return [...byId.values()].flat();
}

const sorted = (found: Record<string, unknown>) =>
  Object.fromEntries(
    Object.entries(found).map(([name, rows]) => {
      const texts = (rows as Record<string, unknown>[]).map((row) =>
        JSON.stringify(
          Object.entries(row)
            .map(([column, value]) => [column, typeof value === "bigint" ? `${value}` : value])
            .sort(),
        ),
      );
      return [name, texts.sort()];
    }),
  );

const order = fc.record({
  customer: fc.option(fc.integer({ min: 1, max: 3 }), { freq: 8 }),
  amount: fc.option(fc.integer({ min: -2, max: 6 }), { freq: 8 }),
  status: fc.constantFrom("a", "b", "c", "d", "skip"),
});
/** `forward`: hours go on from the last; else one from all time. */
const event = fc.record({
  op: fc.oneof(
    { weight: 14, arbitrary: fc.constant("u" as const) },
    { weight: 2, arbitrary: fc.constant("d" as const) },
    { weight: 1, arbitrary: fc.constant("t" as const) },
  ),
  id: fc.option(fc.integer({ min: 1, max: 12 }), { freq: 2 }),
  order,
  hours: fc.constantFrom(0, 0, 1, 2, 4),
  isForward: fc.boolean(),
  isLate: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
});
const batch = fc.record({
  events: fc.array(event, { maxLength: 8, size: "max" }),
  fails: fc.option(fc.integer({ min: 0, max: 5 }), { freq: 3 }),
  isBuilt: fc.boolean(),
});

it("equals its rebuild and the definition, whatever comes in whatever order and wherever a run stops", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 5, size: "max" }), async (batches) => {
      const lake = newLake(folder.path, duckdb);
      let [lsn, hour, fresh] = [100, 10, 100];
      const written: Change[] = [1, 2, 3].map((id) =>
        change(50 + id, "r", id, { customer: id % 2, hour: id }),
      );
      await write(lake, written);
      for (const { events, fails, isBuilt } of batches) {
        const changes = events.map(({ op, id, order: values, hours, isForward, isLate }) => {
          lsn += 10;
          hour += isForward ? hours : 0;
          // A row that a read of the source was late with.
          const at = isLate ? lsn - 45 : lsn;
          return change(at, op, id ?? fresh++, { ...values, hour: isForward ? hour : hours });
        });
        await write(lake, changes);
        written.push(...changes);
        if (fails !== null) await run(dyingLake(lake, fails)).catch(expectKilled);
        if (isBuilt) {
          await run(lake);
          expect(sorted(await tables(lake))).toEqual(sorted(await expected(lake, written)));
        }
      }
      await run(lake);
      const kept = await tables(lake);
      expect(sorted(kept)).toEqual(sorted(await expected(lake, written)));
      await run(lake, { anew: Object.keys(GOLD).map((name) => `gold.${name}`) });
      expect(await tables(lake)).toEqual(kept);
    }),
    { numRuns: 7 },
  );
}, 300_000);

it("goes on from the row that was made last, however many rows have its place in the order", async () => {
  const orders = fc.array(
    fc.record({ customer: fc.integer({ min: 1, max: 2 }), hours: fc.constantFrom(0, 1) }),
    { minLength: 1, maxLength: 4 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(orders, { minLength: 2, maxLength: 5, size: "max" }), async (batches) => {
      const lake = newLake(folder.path, duckdb);
      let [id, hour] = [1, 0];
      for (const batch of batches) {
        const changes = batch.map(({ customer, hours }) => {
          id += 1;
          hour += hours;
          return change(100 + id, "u", id, { customer, hour });
        });
        await write(lake, changes);
        await run(lake, { select: ["silver.orders", "gold.labels"] });
        const labels = await queryTable(lake, "shop/gold/labels", "FROM t");
        expect(sorted({ labels })).toEqual(sorted({ labels: (await expected(lake, [])).labels }));
      }
    }),
    { numRuns: 8 },
  );
});

it("takes rows that come in order without a look at what came before", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(
    lake,
    Array.from({ length: 300 }, (_, i) => change(100 + i, "u", i, { customer: i % 50, hour: i })),
  );
  await run(lake);
  const before = await lake.table("shop/silver/orders").existingSnapshot();
  const files = [...before.files.values()].map(({ path }) => `${lake.store.root}/shop/silver/orders/${path}`);
  const hide = async () => Promise.all(files.map((file) => rename(file, `${file}.hidden`)));
  const show = async () => Promise.all(files.map((file) => rename(`${file}.hidden`, file)));
  await write(lake, [
    change(1001, "u", 1001, { customer: 7, hour: 400, amount: 5 }),
    change(1002, "u", 1002, { customer: 7, hour: 401 }),
    change(1003, "u", 1003, { customer: 99, hour: 10 }),
  ]);
  await run(lake, { select: ["silver.orders"] });
  await hide();
  steps = 0;
  const select = ["gold.sessions", "gold.balances", "gold.latest"];
  const reports = await run(lake, { select });
  expect(steps).toBe(3);
  expect(reports.map(({ status, rowsIn, rowsOut }) => [status, rowsIn, rowsOut])).toEqual([
    ["incremental", 3, 2],
    ["incremental", 3, 3],
    ["incremental", 3, 2],
  ]);
  const ofSeven = await queryTable(
    lake,
    "shop/gold/sessions",
    "SELECT orders, total FROM t WHERE customer = 7 ORDER BY placed DESC LIMIT 1",
  );
  expect(ofSeven).toEqual([{ orders: 2n, total: 6n }]);
  // A late row needs the key's rows of all time.
  await show();
  await write(lake, [change(1004, "u", 1004, { customer: 7, hour: 300 })]);
  await run(lake, { select: ["silver.orders"] });
  await hide();
  await expect(run(lake, { select: ["gold.latest"] })).rejects.toThrow("No files found");
});

it("hands the rows of a key to the step again where one is late, and those of no other", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(
    lake,
    Array.from({ length: 100 }, (_, i) => change(100 + i, "u", i, { customer: i % 10, hour: 2 * i })),
  );
  await run(lake);
  await write(lake, [change(1001, "u", 1001, { customer: 7, hour: 3 })]);
  steps = 0;
  await run(lake);
  expect(steps).toBe(11);
  // A column that its SQL does not read.
  await write(lake, [change(1002, "u", 5, { customer: 5, hour: 10, status: "b" })]);
  steps = 0;
  await run(lake);
  expect(steps).toBe(0);
});

it("orders rows that are equal in the order by all their columns, and knows how far it came without a row", async () => {
  const lake = newLake(folder.path, duckdb);
  const trail = async () => {
    await run(lake, { select: ["silver.orders", "gold.latest"] });
    return queryTable(lake, "shop/gold/latest", "SELECT trail, hour(placed)::INTEGER AS hour FROM t");
  };
  await write(lake, [
    change(101, "u", 9, { hour: 1 }),
    change(102, "u", 5, { hour: 1 }),
    change(103, "u", 7, { hour: 1 }),
  ]);
  expect(await trail()).toEqual([{ trail: "5 7 9", hour: 23 }]);
  await write(lake, [change(104, "u", 6, { hour: 1 })]);
  expect(await trail()).toEqual([{ trail: "5 6 7 9", hour: 23 }]);
  // A row that gives none, and one before it that comes after it.
  await write(lake, [change(105, "u", 10, { hour: 3, amount: -1 })]);
  expect(await trail()).toEqual([{ trail: "5 6 7 9", hour: 1 }]);
  await write(lake, [change(106, "u", 11, { hour: 2 })]);
  expect(await trail()).toEqual([{ trail: "5 6 7 9 11", hour: 1 }]);
});

it("is tested on a few rows", async () => {
  const at = (hour: number) => new Date(Date.UTC(2026, 0, 1, hour));
  const sale = (id: bigint, hour: number, amount = 1n) => ({ id, customer: 1n, amount, placed: at(hour) });
  const test = {
    name: "orders less than three hours apart are one session",
    model: "gold.sessions",
    given: { "silver.orders": [sale(1n, 1), sale(2n, 2)] },
    expect: [{ customer: 1n, started: at(1), orders: 2n, total: 2n }],
    steps: [
      {
        change: { "silver.orders": [sale(3n, 6)] },
        expect: [
          { started: at(1), orders: 2n },
          { started: at(6), orders: 1n },
        ],
      },
      { change: { "silver.orders": [sale(4n, 4)] }, expect: [{ started: at(1), orders: 4n }] },
      {
        remove: { "silver.orders": [sale(4n, 4)] },
        expect: [
          { started: at(1), orders: 2n },
          { started: at(6), orders: 1n },
        ],
      },
    ],
  };
  expect(await runModelTest(duckdb, pipeline, test)).toBeUndefined();
  const wrong = { ...test, expect: [{ orders: 3n }] };
  expect(await runModelTest(duckdb, pipeline, wrong)).toMatchObject({
    step: 0,
    unexpected: ['{"orders":2}'],
  });
});
