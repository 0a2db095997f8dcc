/** Histories whose changes are given, and models of which no history can be kept. */
import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { scd2 } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { lineageOf } from "../../layers/lineage/read-lineage.ts";
import { build } from "../../layers/models/build.ts";
import { runModelTest } from "../../layers/models/model-test.ts";
import { heldRows } from "../../layers/models/quarantine/read-quarantine.ts";
import { planBuild } from "../../layers/plan/plan-build.ts";
import { type Columns, date, decimal, defineTable, double, text, timestamp } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { type Item, type ItemChange, KEY, writeItems } from "./bronze-items.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const COLUMNS = {
  [KEY[0]]: decimal(9, 2),
  [KEY[1]]: date(),
  name: text(),
  amount: double().nullable(),
  valid_from: timestamp(),
  valid_to: timestamp().nullable(),
};
const ITEMS = "SELECT * FROM bronze.items";

async function pipelineOf(
  sql = ITEMS,
  columns: Columns = COLUMNS,
  key: string[] = [...KEY, "valid_from"],
  layer: "silver" | "gold" = "silver",
  checks: Record<string, { sql: string }> = {},
): Promise<PipelineDefinition> {
  const root = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(`${root}/${layer}`, { recursive: true });
  await writeFile(`${root}/${layer}/items.sql`, sql);
  return {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { items: {} } }),
    [layer]: { items: scd2(defineTable({ name: "items", description: "Items.", key, columns, checks })) },
  };
}

const change = (
  op: ItemChange["op"],
  lsn: number,
  us: number,
  more: Partial<ItemChange & Item> = {},
): ItemChange => {
  const { name = "x", amount = 1, ...rest } = more;
  return { op, lsn, us, id: 0, seq: op === "r" ? 0 : 1, item: { name, amount }, ...rest };
};

/** Builds after each commit of bronze. Gives names with the time in which they were so. */
async function history(...commits: ItemChange[][]): Promise<string[]> {
  const lake = newLake(folder.path, duckdb);
  const pipeline = await pipelineOf();
  for (const changes of commits) {
    await writeItems(lake, duckdb, changes);
    await build({ lake, concurrency: 1, onProgress: ignoreProgress }, pipeline);
  }
  const rows = await queryTable(
    lake,
    "shop/silver/items",
    "SELECT concat_ws(' ', name, epoch_us(valid_from), coalesce(epoch_us(valid_to)::VARCHAR, 'now')) AS v FROM t ORDER BY valid_from",
  );
  return rows.map(({ v }) => String(v));
}

it("closes, opens anew, and joins what is equal", async () => {
  const [a, b] = [change("r", 10, 100), change("u", 20, 200, { name: "x" })];
  const rest = [change("u", 30, 300, { name: "y" }), change("d", 40, 400), change("i", 50, 500)];
  const expected = ["x 100 300", "y 300 400", "x 500 now"];
  expect(await history([a, b, ...rest])).toEqual(expected);
  expect(await history([a], [b], ...rest.map((one) => [one]))).toEqual(expected);
});

it("lets a truncation end every row", async () => {
  const before = [change("i", 10, 100), change("i", 20, 200, { id: 1, name: "y" })];
  const after = [
    change("t", 30, 300),
    change("i", 30, 300, { seq: 2 }),
    change("i", 40, 400, { id: 1, name: "y" }),
  ];
  const expected = ["x 100 now", "y 200 300", "y 400 now"];
  expect(await history([...before, ...after])).toEqual(expected);
  expect(await history(before, after)).toEqual(expected);
});

it("shows of a transaction what it left, also where its changes come in two commits", async () => {
  const changes = [change("i", 10, 100), change("u", 10, 100, { seq: 2, name: "y" })] as const;
  expect(await history([...changes])).toEqual(["y 100 now"]);
  expect(await history([changes[0]], [changes[1]])).toEqual(["y 100 now"]);
});

it("tells a row that was read from the transaction that commits where the read ends", async () => {
  const changes = [change("r", 10, 50), change("u", 10, 100, { name: "y" })];
  expect(await history(changes)).toEqual(["x 50 100", "y 100 now"]);
});

it("goes on in time where the source's clock goes back", async () => {
  const changes = [
    change("i", 10, 100),
    change("d", 20, 200),
    change("i", 30, 150),
    change("u", 40, 120, { name: "y" }),
  ];
  const expected = ["x 100 200", "x 201 202", "y 202 now"];
  expect(await history(changes)).toEqual(expected);
  expect(await history(...changes.map((one) => [one]))).toEqual(expected);
});

it("takes in changes that come late", async () => {
  const late = change("u", 15, 150, { name: "y" });
  expect(await history([change("i", 10, 100), change("u", 20, 200)], [late])).toEqual([
    "x 100 150",
    "y 150 200",
    "x 200 now",
  ]);
});

it("is what its table's properties and its commits say: one small commit for a change, none for nothing", async () => {
  const lake = newLake(folder.path, duckdb);
  const pipeline = await pipelineOf();
  const run = () => build({ lake, concurrency: 1, onProgress: ignoreProgress }, pipeline);
  await writeItems(lake, duckdb, [change("i", 10, 100), change("i", 11, 110, { id: 1 })]);
  expect(await run()).toMatchObject([{ status: "rebuilt", rowsOut: 2 }]);
  await writeItems(lake, duckdb, [change("u", 20, 200, { name: "y" })]);
  expect(await run()).toMatchObject([{ status: "incremental", rowsIn: 1, rowsOut: 2 }]);
  await writeItems(lake, duckdb, [change("u", 30, 300, { name: "y" })]);
  expect(await run()).toMatchObject([{ status: "unchanged" }]);
});

it.each([
  ["no valid_from", { columns: { ...COLUMNS, valid_from: date() } }],
  ["valid_from outside of the key", { key: [...KEY] }],
  ["no nullable valid_to", { columns: { ...COLUMNS, valid_to: timestamp() } }],
  ["a key of valid_from alone", { key: ["valid_from"] }],
  ["a join", { sql: "SELECT i.* FROM bronze.items i JOIN (VALUES (1)) v(n) ON true" }],
  ["a WITH clause", { sql: "WITH i AS (FROM bronze.items) SELECT * FROM i" }],
  ["unnest", { sql: "SELECT *, unnest([1, 2]) AS n FROM bronze.items" }],
  ["a window", { sql: "SELECT *, row_number() OVER () AS n FROM bronze.items" }],
  ["gold", { layer: "gold" as const }],
])("refuses %s", async (_, given: { columns?: Columns; key?: string[]; sql?: string; layer?: "gold" }) => {
  const lake = newLake(folder.path, duckdb);
  await writeItems(lake, duckdb, [change("i", 10, 100)]);
  const pipeline = await pipelineOf(given.sql, given.columns, given.key, given.layer);
  const run = build({ lake, concurrency: 1, onProgress: ignoreProgress }, pipeline);
  await expect(run).rejects.toMatchObject({ code: "MODEL_SCD2", allowed: expect.anything() });
});

it.each([
  ["another key than the source's", { key: [KEY[0], "valid_from"] }, "MODEL_SCD2"],
  [
    "rows under other keys",
    { sql: `SELECT * REPLACE ("order" + 1 AS "order") FROM bronze.items` },
    "MODEL_SCD2",
  ],
  ["a key that is null", { sql: `SELECT * REPLACE (NULL AS "order") FROM bronze.items` }, "MODEL_SCD2"],
  ["a column that is Ingot's", { sql: "SELECT *, now() AS valid_from FROM bronze.items" }, "MODEL_SCD2"],
  ["a column too many", { sql: "SELECT *, 1 AS valid_to FROM bronze.items" }, "MODEL_COLUMNS"],
])("fails on %s", async (_, given: { columns?: Columns; key?: string[]; sql?: string }, code) => {
  const lake = newLake(folder.path, duckdb);
  await writeItems(lake, duckdb, [change("i", 10, 100)]);
  const pipeline = await pipelineOf(given.sql, given.columns, given.key);
  const run = build({ lake, concurrency: 1, onProgress: ignoreProgress }, pipeline);
  await expect(run).rejects.toMatchObject({ code });
});

const small = (most: number): Columns => ({
  ...COLUMNS,
  amount: double()
    .check((n) => n.max(most))
    .nullable(),
});
const AMOUNTS = "SELECT amount, epoch_us(valid_from) AS f, epoch_us(valid_to) AS t FROM t ORDER BY f";

it("ends what was so where a change breaks the contract, and has it where the contract is put right", async () => {
  const lake = newLake(folder.path, duckdb);
  const run = async (most: number, sql?: string) =>
    build({ lake, concurrency: 1, onProgress: ignoreProgress }, await pipelineOf(sql, small(most)));
  const amounts = async () =>
    (await queryTable(lake, "shop/silver/items", AMOUNTS)).map((row) => Object.values(row).map(Number));
  await writeItems(lake, duckdb, [change("i", 10, 100), change("i", 11, 100, { id: 1, amount: 9 })]);
  expect(await run(5)).toMatchObject([{ held: 1, rowsOut: 1 }]);
  // Of a transaction the last change counts: what it broke on the way nobody saw.
  const passing = [change("u", 20, 200, { amount: 7 }), change("u", 20, 200, { amount: 2, seq: 2 })];
  await writeItems(lake, duckdb, [...passing, change("u", 30, 300, { amount: 8 })]);
  expect(await run(5)).toMatchObject([{ status: "incremental", held: 1 }]);
  expect(await amounts()).toEqual([
    [1, 100, 200],
    [2, 200, 300],
  ]);
  await writeItems(lake, duckdb, [change("u", 40, 400, { amount: 2 })]);
  expect(await run(5)).toMatchObject([{ status: "incremental", held: 0 }]);
  expect((await amounts()).at(-1)).toEqual([2, 400, 0]);
  const held = await heldRows(lake, "shop", "items", 10);
  expect(held.map(({ rules, raw }) => [rules, (raw as { amount: string }).amount])).toEqual([
    [["amount.max"], "8.0"],
    [["amount.max"], "9.0"],
  ]);
  expect(await run(8)).toMatchObject([{ status: "rebuilt", held: 1 }]);
  expect(await amounts()).toEqual([
    [1, 100, 200],
    [2, 200, 300],
    [8, 300, 400],
    [2, 400, 0],
  ]);
  const cast =
    "SELECT * REPLACE (CAST(replace(amount::VARCHAR, '8.0', 'x') AS DOUBLE) AS amount) FROM bronze.items";
  expect(await run(8, cast)).toMatchObject([{ status: "rebuilt", held: 2 }]);
  expect(await run(9)).toMatchObject([{ status: "rebuilt", held: 0 }]);
  expect(await heldRows(lake, "shop", "items", 10)).toEqual([]);
});

const CAST = "CAST(replace(amount::VARCHAR, '9.0', 'x') AS DOUBLE) AS amount";

it.each([
  [
    "what nobody saw, though it cannot be cast",
    `SELECT * REPLACE (${CAST}) FROM bronze.items`,
    [change("u", 20, 200, { amount: 9 }), change("u", 20, 200, { amount: 3, seq: 2 })],
    0,
  ],
  [
    "what the SQL leaves out, though it cannot be cast",
    `SELECT * REPLACE (${CAST}) FROM bronze.items WHERE nullif(name, 'y') = 'x'`,
    [change("u", 20, 200, { amount: 9 }), change("u", 20, 200, { id: 1, name: "y", amount: 9, seq: 2 })],
    1,
  ],
  [
    "a check that only looks as if it were of times",
    "SELECT * FROM bronze.items",
    [
      change("u", 20, 200, { amount: 8 }),
      change("u", 20, 200, { id: 1, name: "valid_from", amount: 8, seq: 2 }),
    ],
    1,
  ],
])("judges by what others have seen: %s", async (_, sql, changes, held) => {
  const checks = {
    few: { sql: "amount < 5 OR name = 'valid_from'" },
    order: { sql: "VALID_TO IS NULL OR VALID_TO > VALID_FROM" },
  };
  const lake = newLake(folder.path, duckdb);
  const pipeline = await pipelineOf(sql, COLUMNS, [...KEY, "valid_from"], "silver", checks);
  const run = (anew: string[] = []) =>
    build({ lake, concurrency: 1, onProgress: ignoreProgress, anew }, pipeline);
  await writeItems(lake, duckdb, [change("i", 10, 100)]);
  await run();
  await writeItems(lake, duckdb, changes);
  expect(await run()).toMatchObject([{ status: "incremental", held }]);
  const kept = await queryTable(lake, "shop/silver/items", "FROM t ORDER BY ALL");
  expect(await run(["silver.items"])).toMatchObject([{ status: "rebuilt", held }]);
  expect(await queryTable(lake, "shop/silver/items", "FROM t ORDER BY ALL")).toEqual(kept);
});

it("refuses rows whose key has no place in the contract, unless the SQL leaves them out", async () => {
  const lake = newLake(folder.path, duckdb);
  await writeItems(lake, duckdb, [change("i", 10, 100), change("i", 20, 200, { id: 40 })]);
  const columns = { ...COLUMNS, [KEY[0]]: decimal(2, 1) };
  const run = async (sql: string) =>
    build({ lake, concurrency: 1, onProgress: ignoreProgress }, await pipelineOf(sql, columns));
  await expect(run(ITEMS)).rejects.toMatchObject({ code: "MODEL_NO_KEY" });
  expect(await run(`SELECT * FROM bronze.items WHERE "a""b" < 10`)).toMatchObject([{ rowsOut: 1 }]);
});

it("fails on what is asked of the times of versions, which no change is to blame for", async () => {
  const lake = newLake(folder.path, duckdb);
  await writeItems(lake, duckdb, [change("i", 10, 100)]);
  const late = timestamp().check((t) => t.min(new Date("2999-01-01")));
  const run = build(
    { lake, concurrency: 1, onProgress: ignoreProgress },
    await pipelineOf(ITEMS, { ...COLUMNS, valid_from: late }),
  );
  await expect(run).rejects.toMatchObject({ code: "CONTRACT_BROKEN" });
});

it("is planned without asking the SQL for the columns that Ingot adds", async () => {
  const lake = newLake(folder.path, duckdb);
  await writeItems(lake, duckdb, [change("i", 10, 100)]);
  expect((await planBuild(lake, await pipelineOf())).problems).toEqual([]);
  const { problems } = await planBuild(lake, await pipelineOf("SELECT *, 1 AS valid_to FROM bronze.items"));
  expect(problems).toMatchObject([{ code: "MODEL_COLUMNS", problem: expect.stringContaining("valid_to") }]);
});

it("is tested on few rows with the times of their commits", async () => {
  const changes = (values: string) =>
    `SELECT 1.5::DECIMAL(9,2) AS "a""b", DATE '2024-01-01' AS "order", * FROM (VALUES ${values}) v(name, amount, _ingot_op, _ingot_committed_at)`;
  const x = { name: "x", valid_from: "2024-01-01T10:00:00Z", valid_to: "2024-01-02T10:00:00Z" };
  const failure = await runModelTest(duckdb, await pipelineOf(), {
    name: "a version ends where the next begins",
    model: "silver.items",
    given: { "bronze.items": changes("('x', 1.0, 'i', '2024-01-01 10:00:00Z')") },
    expect: [{ ...x, valid_to: null }],
    steps: [
      {
        change: { "bronze.items": changes("('y', 1.0, 'u', '2024-01-02 10:00:00Z')") },
        expect: [x, { name: "y", valid_from: x.valid_to, valid_to: null }],
      },
      {
        change: { "bronze.items": changes("(NULL::VARCHAR, NULL::DOUBLE, 'd', '2024-01-03 10:00:00Z')") },
        expect: [x, { name: "y", valid_from: x.valid_to, valid_to: "2024-01-03T10:00:00Z" }],
      },
    ],
  });
  expect(failure).toBeUndefined();
});

it("has the lineage of the columns that Ingot adds", async () => {
  const { lineage } = await lineageOf(newLake(folder.path, duckdb), await pipelineOf());
  const model = lineage.models.get("silver.items");
  expect(model?.unresolved).toEqual([]);
  const origin = { table: "bronze.items", column: "_ingot_committed_at", how: "transformation" };
  expect(model?.columns.get("valid_to")).toEqual([origin]);
});
