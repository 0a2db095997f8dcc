import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { beforeEach, expect, it } from "vitest";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { aggregate, full, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { planBuild } from "../../layers/plan/plan-build.ts";
import { date, decimal, defineTable, long, text } from "../../schemas/index.ts";
import { type Change, writeChanges } from "../models/shop.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
let lake = newLake(folder.path, duckdb);

const orders = defineTable({
  name: "orders",
  description: "orders",
  key: ["id"],
  columns: { id: long(), customer: long().nullable(), amount: decimal(12, 2).nullable() },
});
const perCustomer = defineTable({
  name: "per_customer",
  description: "orders of each customer",
  key: ["customer"],
  columns: { customer: long(), orders: long(), total: decimal(18, 2).nullable() },
});
const figure = defineTable({
  name: "figure",
  description: "one figure",
  columns: { customers: long() },
});

const pipeline = (
  gold: PipelineDefinition["gold"] = { per_customer: aggregate(perCustomer), figure: full(figure) },
) =>
  ({
    name: "shop",
    folder: pathToFileURL(`${folder.path}/`),
    source: postgres({ tables: { orders: {} } }),
    silver: { orders: merge(orders) },
    gold,
  }) satisfies PipelineDefinition;

const put = (lsn: number, id: number): Change => ({
  op: "i",
  values: [String(id), "1", "5", "'a'", "0"],
  lsn,
  seq: 1,
});
const sqlOf = (name: string, sql: string) => writeFile(`${folder.path}/${name}.sql`, sql);
const actions = async (definition = pipeline()) =>
  Object.fromEntries((await planBuild(lake, definition)).models.map(({ model, action }) => [model, action]));
const buildAll = () => build({ lake, concurrency: 2, onProgress: ignoreProgress }, pipeline());

beforeEach(async () => {
  lake = newLake(folder.path, duckdb);
  await mkdir(`${folder.path}/silver`, { recursive: true });
  await mkdir(`${folder.path}/gold`, { recursive: true });
  await sqlOf(
    "silver/orders",
    "SELECT id, customer, CAST(amount AS DECIMAL(12,2)) AS amount FROM bronze.orders",
  );
  await sqlOf(
    "gold/per_customer",
    "SELECT customer, count(*) AS orders, sum(amount) AS total\nFROM silver.orders\nWHERE customer IS NOT NULL\nGROUP BY customer",
  );
  await sqlOf("gold/figure", "SELECT count(*) AS customers FROM gold.per_customer");
});

it("says what a build would do, and why", async () => {
  expect(await actions()).toEqual({
    "silver.orders": "wait",
    "gold.per_customer": "wait",
    "gold.figure": "wait",
  });
  await writeChanges(lake, duckdb, "orders", [put(1, 1)]);
  const { models, problems } = await planBuild(lake, pipeline());
  expect(problems).toEqual([]);
  expect(models[0]).toMatchObject({
    action: "create",
    rows: 1,
    downstream: ["gold.per_customer", "gold.figure"],
  });
  await buildAll();
  expect(await actions()).toEqual({
    "silver.orders": "nothing",
    "gold.per_customer": "nothing",
    "gold.figure": "nothing",
  });
  await writeChanges(lake, duckdb, "orders", [put(2, 2)]);
  expect(await actions()).toEqual({
    "silver.orders": "increment",
    "gold.per_customer": "increment",
    "gold.figure": "increment",
  });
  await buildAll();
  await sqlOf(
    "gold/per_customer",
    "SELECT customer, count(*) + 0 AS orders, sum(amount) AS total FROM silver.orders GROUP BY customer",
  );
  expect(await actions()).toEqual({
    "silver.orders": "nothing",
    "gold.per_customer": "rebuild",
    "gold.figure": "rebuild",
  });
});

const problemsOf = async (definition = pipeline()) => {
  await writeChanges(lake, duckdb, "orders", [put(1, 1)]);
  return (await planBuild(lake, definition)).problems;
};

it("finds columns that are not there, with file and line", async () => {
  await sqlOf(
    "gold/per_customer",
    "SELECT customer,\n  count(*) AS orders,\n  sum(amuont) AS total\nFROM silver.orders GROUP BY customer",
  );
  expect(await problemsOf()).toMatchObject([
    { code: "MODEL_SQL", model: "gold.per_customer", line: 3, problem: expect.stringContaining("amuont") },
  ]);
});

it("finds what does not fit the contract", async () => {
  await sqlOf(
    "gold/per_customer",
    "SELECT customer,\n  count(*)::VARCHAR AS orders,\n  sum(amount)::DOUBLE AS total,\n  1 AS extra\nFROM silver.orders GROUP BY customer",
  );
  await sqlOf("gold/figure", "SELECT 1 AS other FROM gold.per_customer");
  expect((await problemsOf()).map(({ code, model, line, problem }) => [code, model, line, problem])).toEqual([
    ["MODEL_COLUMNS", "gold.per_customer", 4, "gives a column extra that its contract does not have"],
    ["MODEL_TYPE", "gold.per_customer", 2, "gives orders as VARCHAR, its contract says BIGINT"],
    ["MODEL_TYPE", "gold.per_customer", 3, "gives total as DOUBLE, its contract says DECIMAL(18,2)"],
    ["MODEL_COLUMNS", "gold.figure", undefined, "does not give the column customers of its contract"],
    ["MODEL_COLUMNS", "gold.figure", 1, "gives a column other that its contract does not have"],
  ]);
});

it("takes what fits without loss", async () => {
  const wide = defineTable({
    name: "figure",
    description: "wide types",
    columns: { customers: decimal(20, 3), day: date().nullable(), name: text() },
  });
  await sqlOf("gold/figure", "SELECT count(*) AS customers, NULL AS day, 'x' AS name FROM gold.per_customer");
  expect(await problemsOf(pipeline({ per_customer: aggregate(perCustomer), figure: full(wide) }))).toEqual(
    [],
  );
});

it("refuses a circle, and an aggregate whose groups cannot be followed", async () => {
  await sqlOf("gold/per_customer", "SELECT customers AS customer, 1 AS orders, 1 AS total FROM gold.figure");
  await expect(
    problemsOf(pipeline({ per_customer: full(perCustomer), figure: full(figure) })),
  ).rejects.toMatchObject({
    code: "MODEL_CYCLE",
    value: "gold.per_customer → gold.figure → gold.per_customer",
  });
  await sqlOf(
    "gold/per_customer",
    "WITH o AS (FROM silver.orders) SELECT customer, count(*) AS orders, sum(amount) AS total FROM o GROUP BY ALL",
  );
  await expect(problemsOf()).rejects.toMatchObject({ code: expect.stringMatching(/^MODEL_/) });
});

it("names a table that no model made", async () => {
  await writeChanges(lake, duckdb, "orders", [put(1, 1)]);
  const path = "shop/gold/figure" as const;
  await lake.table(path).write({
    operation: "WRITE",
    base: undefined,
    schema: { type: "struct", fields: [{ name: "a", type: "long", nullable: true, metadata: {} }] },
    staged: { files: [], rows: 0, bytes: 0, nulls: new Map() },
    reads: "nothing",
  });
  expect((await planBuild(lake, pipeline())).problems).toMatchObject([
    { code: "MODEL_FOREIGN_TABLE", model: "gold.figure" },
  ]);
});
