import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { beforeEach, expect, it } from "vitest";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { rowCount } from "../../layers/definition/audit.ts";
import { aggregate, full, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { planBuild } from "../../layers/plan/plan-build.ts";
import { type Columns, date, decimal, defineTable, long, text } from "../../schemas/index.ts";
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
const actions = async (definition: PipelineDefinition = pipeline()) =>
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

it("says that a small table which is made anew is read as a change, as it is", async () => {
  await writeChanges(lake, duckdb, "orders", [put(1, 1), put(1, 2)]);
  await buildAll();
  await sqlOf(
    "silver/orders",
    "SELECT id, customer, CAST(amount + 1 AS DECIMAL(12,2)) AS amount FROM bronze.orders",
  );
  expect(await actions()).toMatchObject({ "silver.orders": "rebuild", "gold.per_customer": "increment" });
  expect(await decided()).toBe("increment: silver.orders is made anew; all of its rows are read as a change");
  const reports = await buildAll();
  expect(Object.fromEntries(reports.map(({ model, status }) => [model, status]))).toMatchObject({
    "silver.orders": "rebuilt",
    "gold.per_customer": "incremental",
  });
});

it("says that a table which gets other columns has its readers made anew, as it has", async () => {
  await writeChanges(lake, duckdb, "orders", [put(1, 1), put(1, 2)]);
  await buildAll();
  const wider = defineTable({
    name: "orders",
    description: "orders",
    key: ["id"],
    columns: { ...orders.columns, status: text() },
  });
  await sqlOf(
    "silver/orders",
    "SELECT id, customer, CAST(amount AS DECIMAL(12,2)) AS amount, status FROM bronze.orders",
  );
  const definition = { ...pipeline(), silver: { orders: merge(wider) } };
  expect(await actions(definition)).toMatchObject({
    "silver.orders": "rebuild",
    "gold.per_customer": "rebuild",
  });
  const reports = await build({ lake, concurrency: 2, onProgress: ignoreProgress }, definition);
  expect(reports.find(({ model }) => model === "gold.per_customer")?.status).toBe("rebuilt");
});

/** What a build would do with a model of orders by customer, and why. */
const decided = async (definition: PipelineDefinition = pipeline()) => {
  const { models } = await planBuild(lake, definition);
  const { action, why } = models.find(({ model }) => model === "gold.per_customer") ?? {};
  return `${action}: ${why}`;
};
const PER_CUSTOMER =
  "SELECT customer, count(*) AS orders, sum(amount) AS total FROM silver.orders WHERE customer IS NOT NULL GROUP BY customer";
const columns = { customer: long(), orders: long(), total: decimal(18, 2).nullable() };
const withContract = (other: { columns?: Columns; partitionBy?: string[]; description?: string }) =>
  pipeline({
    per_customer: aggregate(
      defineTable<Columns>({
        name: "per_customer",
        description: "orders",
        key: ["customer"],
        columns,
        ...other,
      }),
    ),
    figure: full(figure),
  });

it("says which part of a model changed", async () => {
  await sqlOf("gold/per_customer", PER_CUSTOMER);
  await writeChanges(lake, duckdb, "orders", [put(1, 1)]);
  await buildAll();
  const wider = { ...columns, total: decimal(20, 2).nullable(), first: long().nullable() };
  const checked = { ...columns, orders: long().check((n) => n.min(1n)) };
  const touches = { "silver.orders": "SELECT customer FROM changed" };
  const why = async (definition: PipelineDefinition) => (await decided(definition)).replace("rebuild: ", "");
  expect(await why(withContract({ columns: wider }))).toBe(
    "the columns of its contract (total is DECIMAL(20,2), was DECIMAL(18,2); first is new) changed",
  );
  expect(await why(withContract({ columns: { customer: long(), orders: long() } }))).toBe(
    "the columns of its contract (total is gone) changed",
  );
  expect(await why(withContract({ columns: checked }))).toBe(
    "the rules of its contract changed: each row is held against them again",
  );
  expect(await why(withContract({ partitionBy: ["customer"] }))).toBe(
    "the partitions of its contract changed",
  );
  const keyless = defineTable({ name: "per_customer", description: "orders", columns });
  expect(await why(pipeline({ per_customer: full(keyless), figure: full(figure) }))).toBe(
    "the key of its contract and its kind changed",
  );
  expect(
    await why(pipeline({ per_customer: aggregate(perCustomer, { touches }), figure: full(figure) })),
  ).toBe("its option touches changed");
  const audited = aggregate(perCustomer, { audits: [rowCount({ min: 1 })] });
  expect(await decided(pipeline({ per_customer: audited, figure: full(figure) }))).toBe(
    "nothing: no input changed; audits are due: rowCount(min 1)",
  );
  await sqlOf("gold/per_customer", PER_CUSTOMER.replace("sum(amount)", "max(amount)"));
  expect(await decided()).toBe("rebuild: its SQL changed");
  expect(await why(withContract({ columns: checked, partitionBy: ["customer"] }))).toBe(
    "its SQL, the partitions of its contract and the rules of its contract changed",
  );
});

it("makes nothing anew for what is said of a model: descriptions, comments, how lines break", async () => {
  await sqlOf("gold/per_customer", PER_CUSTOMER);
  await writeChanges(lake, duckdb, "orders", [put(1, 1)]);
  await buildAll();
  const described = withContract({
    description: "Orders by customer.",
    columns: { ...columns, orders: long().describe("how many") },
  });
  await sqlOf(
    "gold/per_customer",
    `-- One row a customer.\n${PER_CUSTOMER.replaceAll(" FROM", "\nFROM /* all */")};`,
  );
  expect(await decided(described)).toBe("nothing: no input changed");
  const run = (definition: PipelineDefinition) =>
    build({ lake, concurrency: 2, onProgress: ignoreProgress }, definition);
  const status = async (definition: PipelineDefinition) =>
    (await run(definition)).find(({ model }) => model === "gold.per_customer")?.status;
  expect(await status(described)).toBe("unchanged");
  await writeChanges(lake, duckdb, "orders", [put(2, 2)]);
  expect(await status(described)).toBe("incremental");
  // A constant that is other only in its last digits is another one, and so is what stands in quotes.
  const of = (constant: string) => PER_CUSTOMER.replace("count(*)", `count(*) FILTER (WHERE ${constant})`);
  await sqlOf("gold/per_customer", of("id <> 9007199254740993 AND 'a -- b' <> 'c'"));
  expect(await decided()).toBe("rebuild: its SQL changed");
  await run(pipeline());
  await sqlOf("gold/per_customer", of("id <> 9007199254740992 AND 'a -- b' <> 'c'"));
  expect(await decided()).toBe("rebuild: its SQL changed");
  await sqlOf("gold/per_customer", of("id <> 9007199254740993 AND 'a -- bb' <> 'c'"));
  expect(await decided()).toBe("rebuild: its SQL changed");
  await sqlOf("gold/per_customer", of("id <> 9007199254740993 AND 'a -- b' <> 'c' /* as before */"));
  expect(await decided()).toBe("nothing: no input changed");
});

it("knows a table whose record has no parts by its fingerprint", async () => {
  await sqlOf("gold/per_customer", PER_CUSTOMER);
  await writeChanges(lake, duckdb, "orders", [put(1, 1)]);
  await buildAll();
  const table = lake.table("shop/gold/per_customer");
  const base = await table.existingSnapshot();
  const { domain = "", configuration = "{}" } = base.domains.get("ingot.model") ?? {};
  const { parts: _, ...record } = JSON.parse(configuration);
  const former = { domainMetadata: { domain, configuration: JSON.stringify(record), removed: false } };
  await table.commit({ base, operation: "WRITE", actions: [former], reads: "nothing" });
  expect(await decided()).toBe("nothing: no input changed");
  await sqlOf("gold/per_customer", `${PER_CUSTOMER} -- x`);
  expect(await decided()).toBe("rebuild: its SQL, kind or contract changed");
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
