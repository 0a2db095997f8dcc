/** What errors of models do not say: the values of sensitive columns. */
import { inspect } from "node:util";
import { expect, it } from "vitest";
import type { ProgressEvent } from "../../lakehouse/progress.ts";
import { type AuditDefinition, sql } from "../../layers/definition/audit.ts";
import { full, type ModelDefinition, merge } from "../../layers/definition/model.ts";
import { buildModels } from "../../layers/models/build.ts";
import { sqlErrorText } from "../../layers/models/sensitive.ts";
import { defineTable, long, text } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { auditPipeline, changeBronze, columns, itemOf, sqlText, upsert } from "./audit-shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const open = { ...columns, email: text().nullable(), id: long() };
const item = (of: typeof open) =>
  defineTable({ name: "item", description: "items", key: ["id"], columns: of });
const masked = { ...open, email: text().nullable().sensitive("mask") };

interface Shop {
  readonly sql: Readonly<Record<string, string>>;
  readonly contracts?: Readonly<Record<string, ModelDefinition>>;
  readonly audits?: Readonly<Record<string, readonly AuditDefinition[]>>;
}

/** All that a build of two rows with a secret says of a model. */
async function told(model: string, shop: Shop) {
  const lake = newLake(folder.path, duckdb);
  await changeBronze(lake, duckdb, "kinds", [upsert([sqlText("a"), "'x'"])]);
  await changeBronze(lake, duckdb, "items", [
    upsert(itemOf(1, { email: "secret@x" })),
    upsert(itemOf(2, { email: "secret@x" })),
  ]);
  const events: ProgressEvent[] = [];
  const pipeline = await auditPipeline(folder.path, shop);
  const onProgress = (event: ProgressEvent) => void events.push(event);
  const { failures } = await buildModels({ lake, concurrency: 1, onProgress }, pipeline);
  const error = failures.find((failure) => failure.model === model)?.error;
  const own = events.filter(({ task }) => task === model);
  return { lake, error, text: inspect([error, own], { depth: 20, showHidden: true }) };
}

const cast = (source: string) => `SELECT id, kind, email::BIGINT AS n, email, seen FROM ${source}`;

it.each<[string, string, Shop]>([
  ["the contract", "gold.listed", { sql: { "gold/listed": cast("silver.merged") } }],
  [
    "the contract of an input",
    "gold.listed",
    { sql: { "gold/listed": cast("silver.merged") }, contracts: { "gold.listed": full(item(open)) } },
  ],
  [
    "a contract over the same bronze",
    "gold.listed",
    { sql: { "gold/listed": cast("bronze.items") }, contracts: { "gold.listed": full(item(open)) } },
  ],
])("says no more than the kind of error where %s has a sensitive column", async (_, model, shop) => {
  const { error, text } = await told(model, shop);
  expect(error).toMatchObject({
    code: "MODEL_SQL",
    message: `model ${model} failed: Conversion Error: Could not convert (values are not shown, they may be sensitive)`,
  });
  expect(text).not.toContain("secret");
});

it("tells the value where nothing is sensitive", async () => {
  const contracts = Object.fromEntries(
    ["silver.appended", "gold.grouped", "gold.listed", "gold.loose"].map((name) => [name, full(item(open))]),
  );
  const shop = { sql: { "gold/listed": cast("silver.merged") } };
  const { text } = await told("gold.listed", {
    ...shop,
    contracts: { ...contracts, "silver.merged": merge(item(open)) },
  });
  expect(text).toContain("Could not convert string 'secret@x' to INT64");
});

it("tells what is wrong with the text of the SQL", async () => {
  const { error, text } = await told("gold.listed", {
    sql: { "gold/listed": "SELECT nope FROM silver.merged" },
  });
  expect(error).toMatchObject({ message: expect.stringMatching(/Binder Error: .*nope/s) });
  expect(text).not.toContain("secret");
});

it("says no more of an error that a query raises", async () => {
  const raises = "SELECT id, kind, n, error('of ' || email)::VARCHAR AS email, seen FROM silver.merged";
  const { error, text } = await told("gold.listed", { sql: { "gold/listed": raises } });
  expect(error).toMatchObject({ message: expect.stringContaining("failed: Invalid Input Error (") });
  expect(text).not.toContain("secret");
});

it("shows of a repeated key what is not sensitive", async () => {
  const keyed = { ...masked, kind: text(), email: text().sensitive("mask") };
  const about = { name: "item", description: "items", columns: keyed };
  const both = defineTable({ ...about, key: ["kind", "email"] });
  const only = defineTable({ ...about, key: ["email"] });
  const shop = { sql: { "gold/listed": "SELECT id, kind, n, email, seen FROM silver.merged" } };
  for (const [contract, value] of [
    [both, '{"kind":"a"}'],
    [only, undefined],
  ] as const) {
    const { error, text } = await told("gold.listed", {
      ...shop,
      contracts: { "gold.listed": full(contract) },
    });
    expect(error).toMatchObject({ code: "MODEL_REPEATED_KEY" });
    expect(error).toHaveProperty("allowed");
    expect((error as { value?: unknown }).value).toBe(value);
    expect(text).not.toContain("secret");
  }
});

it("sets rows aside that hold a value which no cast takes, also where values are not shown", async () => {
  const strict = { ...masked, n: long() };
  const contract = defineTable({ name: "item", description: "items", key: ["id"], columns: strict });
  // One that can be cast, and one that cannot.
  const n = "replace(email, 'secret@x', CASE id WHEN 1 THEN '1' ELSE 'secret@x' END)::BIGINT AS n";
  const { lake, error } = await told("silver.merged", {
    sql: { "silver/merged": `SELECT id, kind, ${n}, email, seen FROM bronze.items` },
    contracts: { "silver.merged": merge(contract, { quarantine: { stopAtRate: 1 } }) },
    audits: { "silver.merged": [sql("all is well", "FROM silver.merged WHERE n IS NULL")] },
  });
  expect(error).toBeUndefined();
  const count = (path: "shop/silver/merged" | "shop/quarantine/merged") =>
    queryTable(lake, path, "SELECT count(*) AS rows FROM t");
  expect(await count("shop/silver/merged")).toEqual([{ rows: 1n }]);
  expect(await count("shop/quarantine/merged")).toEqual([{ rows: 1n }]);
});

it.each([
  [
    "Conversion Error: Could not convert string 'secret' to INT64\n\nLINE 1: ..",
    "Conversion Error: Could not convert",
  ],
  ["Out of Range Error: Overflow of 17 secret", "Out of Range Error"],
  [
    "Invalid Input Error: ingot: a row breaks its contract",
    "Invalid Input Error: ingot: a row breaks its contract",
  ],
  ["Invalid Input Error: ingot: a row secret@x", "Invalid Input Error"],
  ["secret without a kind", "an error"],
  ["", "an error"],
])("cuts %j", (message, text) => {
  expect(sqlErrorText(new Error(message), true)).toBe(
    `${text} (values are not shown, they may be sensitive)`,
  );
  expect(sqlErrorText(new Error(message), false)).toBe(message);
});
