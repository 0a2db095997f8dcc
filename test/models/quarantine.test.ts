import { mkdir, rm, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { Lake, type TablePath } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { aggregate, type ModelDefinition, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { brokenRules, dropHeld, heldRows } from "../../layers/models/quarantine/read-quarantine.ts";
import { defineTable, integer, long } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { type Change, writeChanges } from "./shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const columns = {
  id: long(),
  // Decided in JavaScript.
  customer: long().check((n) => n.refine((value) => value % 2n === 0n)),
  amount: long()
    .check((n) => n.min(0n))
    .nullable(),
  grade: integer(),
};
const about = {
  name: "orders",
  description: "orders with a grade",
  key: ["id" as const],
};
const graded = defineTable({
  ...about,
  columns,
  checks: { dear: { sql: "amount < 100 OR grade > 1", message: "what is dear has a grade above 1" } },
});
const gradesUpTo = (most: bigint) =>
  defineTable({
    name: "grades",
    description: "orders by grade",
    key: ["grade"],
    columns: { grade: integer(), orders: long().check((n) => n.max(most)) },
  });
const perGrade = gradesUpTo(1000n);

const writeSql = () =>
  writeFile(
    `${folder.path}/silver/orders.sql`,
    "SELECT id, customer, amount, CAST(status AS INTEGER) AS grade FROM bronze.orders WHERE status <> 'skip'",
  );

beforeAll(async () => {
  await mkdir(`${folder.path}/silver`);
  await mkdir(`${folder.path}/gold`);
  await writeSql();
  await writeFile(
    `${folder.path}/gold/grades.sql`,
    "SELECT grade, count(*) AS orders FROM silver.orders GROUP BY grade",
  );
});

const pipelineOf = (
  orders: ModelDefinition = merge(graded),
  gold = aggregate(perGrade),
): PipelineDefinition => ({
  name: "shop",
  folder: pathToFileURL(`${folder.path}/`),
  source: postgres({ tables: { orders: {} } }),
  silver: { orders },
  gold: { grades: gold },
});

const run = (lake: Lake, pipeline = pipelineOf(), anew: string[] = []) =>
  build({ lake, concurrency: 2, onProgress: ignoreProgress, anew }, pipeline);

interface Order {
  readonly customer: number | null;
  readonly amount: number | null;
  readonly status: string;
}

const sql = (value: number | null) => (value === null ? "NULL" : String(value));
const put = (
  lsn: number,
  id: number,
  { customer, amount, status }: Order,
  op: Change["op"] = "u",
): Change => ({
  op,
  values: [String(id), sql(customer), sql(amount), `'${status}'`, "0"],
  lsn,
  seq: 1,
});
const write = (lake: Lake, changes: readonly Change[]) => writeChanges(lake, duckdb, "orders", changes);
const good: Order = { customer: 2, amount: 5, status: "1" };

/** Keys in silver and in quarantine, with the rules that they break. */
async function state(lake: Lake) {
  const silver = await queryTable(lake, "shop/silver/orders", "SELECT id::INTEGER AS id FROM t ORDER BY id");
  const there = (await lake.tables("shop")).includes("shop/quarantine/orders");
  const held = there ? await heldRows(lake, "shop", "orders", 1000) : [];
  const broken = held.map(({ key, rules }) => [Number((key as { id: string }).id), rules.join()] as const);
  return { silver: silver.map((row) => Number(row.id)), broken: broken.sort(([a], [b]) => a - b) };
}

const order = fc.record({
  customer: fc.constantFrom(2, 4, 3, null),
  amount: fc.constantFrom(-1, 0, 7, 200, null),
  status: fc.constantFrom("1", "2", "x", "skip"),
});
const change = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ op: fc.constant("u" as const), id: fc.integer({ min: 1, max: 8 }), order }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant("d" as const), id: fc.integer({ min: 1, max: 8 }), order }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant("t" as const), id: fc.constant(0), order }) },
);

/** What zod, and the check of the table, say of an order as silver would have it. */
function isKept({ customer, amount, status }: Order): boolean {
  const grade = /^\d+$/.test(status) ? Number(status) : null;
  const big = (value: number | null) => (value === null ? null : BigInt(value));
  const verdict = graded.row.safeParse({ id: 1n, customer: big(customer), amount: big(amount), grade });
  return verdict.success && !(amount !== null && amount >= 100 && (grade ?? 0) <= 1);
}

it("keeps rows in silver or in quarantine by their newest version, as a rebuild does", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(change, { maxLength: 8 }), { minLength: 1, maxLength: 5 }),
      async (batches) => {
        const lake = newLake(folder.path, duckdb);
        const newest = new Map<number, Order>();
        let lsn = 100;
        await write(lake, [put(1, 9, good, "r")]);
        newest.set(9, good);
        for (const batch of batches) {
          await write(
            lake,
            batch.map(({ op, id, order: values }) => put(++lsn, id, values, op)),
          );
          for (const { op, id, order: values } of batch) {
            if (op === "t") newest.clear();
            else if (op === "d") newest.delete(id);
            else newest.set(id, values);
          }
          await run(lake);
          const wanted = [...newest].filter(([, { status }]) => status !== "skip").sort(([a], [b]) => a - b);
          const found = await state(lake);
          expect(found.silver).toEqual(wanted.filter(([, o]) => isKept(o)).map(([id]) => id));
          expect(found.broken.map(([id]) => id)).toEqual(
            wanted.filter(([, o]) => !isKept(o)).map(([id]) => id),
          );
          expect(found.broken.every(([, rules]) => rules !== "")).toBe(true);
        }
        const kept = await state(lake);
        await run(lake, pipelineOf(), ["silver.orders"]);
        expect(await state(lake)).toEqual(kept);
      },
    ),
    { numRuns: 8, endOnFailure: true },
  );
});

it("names each broken rule, and shows the row as bronze has it", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(lake, [
    put(1, 1, good),
    put(2, 2, { customer: 3, amount: -1, status: "2" }),
    put(3, 3, { customer: null, amount: 5, status: "x" }),
    put(4, 4, { customer: 2, amount: 500, status: "1" }),
  ]);
  const [silver, gold] = await run(lake);
  expect([silver?.held, gold?.held]).toEqual([3, undefined]);
  expect((await state(lake)).broken).toEqual([
    [2, "amount.min,customer.refine"],
    [3, "cast,customer.required,grade.required"],
    [4, "dear"],
  ]);
  const [newest] = await heldRows(lake, "shop", "silver.orders", 1);
  expect(newest).toMatchObject({
    key: { id: "4" },
    raw: { id: "4", customer: "2", amount: "500", status: "1", hour: "0" },
  });
  expect(
    (await brokenRules(lake, "shop")).map(({ model, rule, rows }) => [model, rule, rows]),
  ).toContainEqual(["silver.orders", "dear", 1]);
  expect(await dropHeld(lake, "shop", "orders", "dear")).toBe(1);
  expect((await state(lake)).broken.map(([id]) => id)).toEqual([2, 3]);
});

it("puts rows where they belong when the contract changes, once", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(lake, [put(1, 1, good), put(2, 2, { ...good, amount: -1 })]);
  await run(lake);
  expect((await state(lake)).broken).toEqual([[2, "amount.min"]]);
  const looser = defineTable({ ...about, columns: { ...columns, amount: long().nullable() } });
  await run(lake, pipelineOf(merge(looser)));
  expect(await state(lake)).toEqual({ silver: [1, 2], broken: [] });
  await run(lake);
  expect(await state(lake)).toEqual({ silver: [1], broken: [[2, "amount.min"]] });
});

it("holds nothing of what a truncation took, also where nothing came after it", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(lake, [put(1, 1, good), put(2, 2, { ...good, amount: -1 })]);
  await run(lake);
  expect(await state(lake)).toMatchObject({ silver: [1], broken: [[2, expect.any(String)]] });
  await write(lake, [put(3, 0, good, "t")]);
  await run(lake);
  expect(await state(lake)).toEqual({ silver: [], broken: [] });
});

it("stops before anything is committed when too much breaks", async () => {
  const lake = newLake(folder.path, duckdb);
  const strict = (options: { stopAtRate?: number; stopAtRows?: number }) =>
    pipelineOf(merge(graded, { quarantine: options }));
  await write(lake, [put(1, 1, good)]);
  await run(lake, strict({ stopAtRate: 0.5 }));
  const before = await lake.tables("shop");
  await write(lake, [put(2, 2, { ...good, amount: -1 }), put(3, 3, good)]);
  await expect(run(lake, strict({ stopAtRate: 0.5 }))).rejects.toMatchObject({ code: "QUARANTINE_LIMIT" });
  await expect(run(lake, strict({ stopAtRows: 1 }))).rejects.toMatchObject({
    code: "QUARANTINE_LIMIT",
    value: "1 of 2 rows",
  });
  expect(await lake.tables("shop")).toEqual(before);
  expect((await state(lake)).silver).toEqual([1]);
  await run(lake, strict({ stopAtRate: 0.6, stopAtRows: 2 }));
  expect(await state(lake)).toEqual({ silver: [1, 3], broken: [[2, "amount.min"]] });
});

it("takes a run of which most breaks for a mistake, where nothing else is said", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(
    lake,
    Array.from({ length: 100 }, (_, i) => put(i, i, { ...good, customer: i < 50 ? 3 : 2 })),
  );
  await expect(run(lake)).rejects.toMatchObject({ code: "QUARANTINE_LIMIT", value: "50 of 100 rows" });
  await run(lake, pipelineOf(merge(graded, { quarantine: { stopAtRate: 0.6 } })));
  expect((await state(lake)).silver).toHaveLength(50);
});

it("heals a run that died between quarantine and silver", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(lake, [put(1, 1, good), put(2, 2, good)]);
  await run(lake);
  await write(lake, [put(3, 2, { ...good, amount: -1 }), put(4, 3, good)]);
  const failing = new Lake(
    faultyStore(lake.store, ({ method, path }) =>
      method === "putIfAbsent" && path.includes("_log") && path.endsWith("1.json")
        ? { failBefore: true }
        : undefined,
    ),
    duckdb,
  );
  await expect(run(failing)).rejects.toThrow();
  await run(lake);
  expect(await state(lake)).toEqual({ silver: [1, 3], broken: [[2, "amount.min"]] });
});

it("fails where gold breaks its contract, and leaves its table as it was", async () => {
  const lake = newLake(folder.path, duckdb);
  await write(lake, [put(1, 1, good)]);
  await run(lake);
  const few = gradesUpTo(1n);
  await run(lake, pipelineOf(merge(graded), aggregate(few)));
  await write(lake, [put(2, 2, good)]);
  await expect(run(lake, pipelineOf(merge(graded), aggregate(few)))).rejects.toMatchObject({
    code: "CONTRACT_BROKEN",
    value: expect.stringContaining('"orders":2'),
  });
  expect(await queryTable(lake, "shop/gold/grades", "SELECT orders::INTEGER AS orders FROM t")).toEqual([
    { orders: 1 },
  ]);
});

it("sets aside a row whose value neither casts nor can be compared, and can be made anew after it", async () => {
  await writeFile(
    `${folder.path}/silver/orders.sql`,
    "SELECT id, customer, amount, CAST(status AS INTEGER) AS grade FROM bronze.orders WHERE grade >= 0",
  );
  const lake = newLake(folder.path, duckdb);
  await write(lake, [put(1, 1, good)]);
  await run(lake);
  await write(lake, [put(2, 2, { ...good, status: "x" }), put(3, 3, good)]);
  await run(lake);
  const found = await state(lake);
  expect(found).toEqual({ silver: [1, 3], broken: [[2, "cast,grade.required"]] });
  await run(lake, pipelineOf(), ["silver.orders"]);
  expect(await state(lake)).toEqual(found);
  await writeSql();
});

/** A lake in which something happens before the quarantine of orders is first listed. */
class WatchedLake extends Lake {
  private readonly watched: DeltaTable;

  constructor(lake: Lake, before: () => Promise<unknown>) {
    super(lake.store, duckdb);
    let once: Promise<unknown> | undefined;
    const store = faultyStore(lake.store.within("shop/quarantine/orders"), ({ method }) => {
      if (method !== "list" || once !== undefined) return undefined;
      return {
        before: async () => {
          once = before();
          await once;
        },
      };
    });
    this.watched = new DeltaTable(store, duckdb);
  }

  override table(path: TablePath): DeltaTable {
    return path === "shop/quarantine/orders" ? this.watched : super.table(path);
  }
}

it("loses no row when a run is overtaken by one that knows newer changes", async () => {
  const lake = newLake(folder.path, duckdb);
  const again = () => new Lake(lake.store, duckdb);
  await write(lake, [put(1, 1, good), put(1, 2, good), put(1, 9, { ...good, amount: -1 })]);
  await run(lake);
  await write(lake, [put(2, 2, { ...good, amount: 6 })]);
  // It has pinned bronze; then a faster one takes in that the row became bad.
  const slow = new WatchedLake(lake, async () => {
    await write(again(), [put(3, 2, { ...good, amount: -1 })]);
    await run(again());
  });
  await expect(run(slow)).rejects.toMatchObject({ code: "MODEL_RACE_LOST" });
  await run(again());
  const broken = [
    [2, "amount.min"],
    [9, "amount.min"],
  ];
  expect(await state(again())).toEqual({ silver: [1], broken });
});

/** In place of its bronze table one that was loaded anew, from a source whose LSNs are lower. */
async function replaceBronze(lake: Lake, changes: readonly Change[]): Promise<void> {
  await rm(`${lake.store.root}/shop/bronze/orders`, { recursive: true });
  await write(new Lake(lake.store, duckdb), changes);
}
const bad: Order = { ...good, amount: -1 };

it.each([
  ["rows of which some break it", [put(1, 1, good), put(2, 2, good), put(3, 3, bad)], [1, 2], [3]],
  ["rows that all keep it", [put(1, 1, good), put(2, 2, good)], [1, 2], []],
  ["rows still broken", [put(1, 1, good), put(2, 2, bad)], [1], [2]],
])("holds what breaks the contract of a bronze table that was made anew: %s", async (_, rows, kept, held) => {
  const lake = newLake(folder.path, duckdb);
  await write(lake, [put(101, 1, good), put(102, 2, bad), put(103, 7, bad)]);
  await run(lake);
  await replaceBronze(lake, rows);
  const again = new Lake(lake.store, duckdb);
  await run(again);
  const broken = held.map((id) => [id, "amount.min"]);
  expect(await state(again)).toEqual({ silver: kept, broken });
  await write(again, [put(10, 2, bad), put(11, 2, { ...good, amount: 6 }), put(12, 3, good)]);
  await run(again);
  expect(await state(again)).toEqual({ silver: [1, 2, 3], broken: [] });
});

it("holds the rows of a bronze table made anew wherever the run dies that first reads it", async () => {
  const died: number[] = [];
  for (let commits = 0; commits < 4; commits++) {
    const lake = newLake(folder.path, duckdb);
    await write(lake, [put(101, 1, good), put(102, 2, bad)]);
    await run(lake);
    await replaceBronze(lake, [put(1, 1, bad), put(2, 2, good)]);
    let left = commits;
    const dies = async () => {
      if (left-- <= 0) throw new TerminalError("killed", { code: "TEST_KILLED" });
    };
    const faulty = faultyStore(lake.store, ({ method }) =>
      method === "putIfAbsent" ? { before: dies } : undefined,
    );
    await run(new Lake(faulty, duckdb)).catch(() => died.push(commits));
    const again = new Lake(lake.store, duckdb);
    // Newer rows come before the next run.
    await write(again, [put(3, 4, bad)]);
    await run(again);
    const broken = [
      [1, "amount.min"],
      [4, "amount.min"],
    ];
    expect(await state(again)).toEqual({ silver: [2], broken });
  }
  // The note of the table, its rows, silver.
  expect(died).toEqual([0, 1, 2]);
});

it("keeps what a faster run holds of a bronze table made anew, whichever table the slower one has read", async () => {
  for (const isFormer of [true, false]) {
    const lake = newLake(folder.path, duckdb);
    const again = () => new Lake(lake.store, duckdb);
    await write(lake, [put(101, 1, good), put(102, 2, bad), put(103, 9, bad)]);
    await run(lake);
    if (isFormer) await write(lake, [put(104, 1, bad)]);
    else await replaceBronze(lake, [put(1, 1, good), put(2, 2, bad)]);
    // The faster one dies before it has written silver.
    let left = 2;
    const dies = async () => {
      if (left-- <= 0) throw new TerminalError("killed", { code: "TEST_KILLED" });
    };
    const dying = faultyStore(lake.store, ({ method }) =>
      method === "putIfAbsent" ? { before: dies } : undefined,
    );
    const slow = new WatchedLake(again(), async () => {
      if (isFormer) await replaceBronze(lake, [put(1, 1, good), put(2, 2, bad)]);
      await write(again(), [put(3, 1, bad)]);
      await expect(run(new Lake(dying, duckdb))).rejects.toThrow("killed");
    });
    if (isFormer) await expect(run(slow)).rejects.toMatchObject({ code: "MODEL_RACE_LOST" });
    else await run(slow);
    const held = await heldRows(again(), "shop", "orders", 10);
    expect(held.map(({ key }) => (key as { id: string }).id).sort()).toEqual(["1", "2"]);
    await run(again());
    const broken = [
      [1, "amount.min"],
      [2, "amount.min"],
    ];
    expect(await state(again())).toEqual({ silver: [], broken });
  }
});
