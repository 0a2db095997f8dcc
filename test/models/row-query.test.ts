/** What models may not be, and what their errors do not show. */
import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import type { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { aggregate, append, full, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { readModels } from "../../layers/models/model.ts";
import { defineTable, long, text } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";
import { type Change, shopPipeline, writeChanges } from "./shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const orders = defineTable({
  name: "orders",
  description: "orders",
  key: ["id"],
  columns: { id: long(), customer: long().nullable() },
});

async function pipelineOf(layers: Pick<PipelineDefinition, "silver" | "gold">, sql: Record<string, string>) {
  const root = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(`${root}/silver`, { recursive: true });
  await mkdir(`${root}/gold`);
  for (const [name, query] of Object.entries(sql)) await writeFile(`${root}/${name}.sql`, query);
  return {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { orders: {}, customers: {}, regions: {} } }),
    ...layers,
  } satisfies PipelineDefinition;
}

const put = (lsn: number, id: number, customer: number): Change => ({
  op: "u",
  values: [String(id), String(customer), "5", "'a'", "0"],
  lsn,
  seq: 1,
});
const run = (lake: Lake, pipeline: PipelineDefinition) =>
  build({ lake, concurrency: 1, onProgress: ignoreProgress }, pipeline);

it.each([
  ["SELECT id, customer FROM bronze.orders UNION ALL SELECT 0, 0", "several queries"],
  ["SELECT id, customer FROM bronze.orders EXCEPT SELECT 1, 1", "several queries"],
  ["SELECT id, customer FROM bronze.orders GROUP BY id, customer", "groups rows"],
  ["SELECT id, customer FROM bronze.orders USING SAMPLE 50%", "sample"],
  ["SELECT id, customer FROM bronze.orders WHERE hour < epoch(now())", "different each time"],
  ["SELECT id, CAST(random() * 9 AS BIGINT) AS customer FROM bronze.orders", "different each time"],
])("refuses %s", async (sql, reason) => {
  for (const kind of [merge, append]) {
    const pipeline = await pipelineOf({ silver: { orders: kind(orders) } }, { "silver/orders": sql });
    await expect(readModels(duckdb, pipeline)).rejects.toMatchObject({
      code: kind === merge ? "MODEL_MERGE" : "MODEL_APPEND",
      message: expect.stringContaining(reason),
    });
  }
});

it("refuses current state outside of silver, whose quarantine it would share", async () => {
  const sql = { "gold/orders": "SELECT id, customer FROM bronze.orders" };
  const pipeline = await pipelineOf({ gold: { orders: merge(orders) } }, sql);
  await expect(readModels(duckdb, pipeline)).rejects.toMatchObject({ code: "MODEL_MERGE" });
});

it("shows a row that breaks its contract without its sensitive columns", async () => {
  const people = defineTable({
    name: "people",
    description: "people",
    columns: { id: long().check((n) => n.max(0n)), email: text().sensitive("mask") },
  });
  const sql = { "gold/people": "SELECT id, 'secret@x.y' AS email FROM bronze.orders" };
  const lake = newLake(folder.path, duckdb);
  await writeChanges(lake, duckdb, "orders", [put(1, 7, 1)]);
  const pipeline = await pipelineOf({ gold: { people: full(people) } }, sql);
  const error = await run(lake, pipeline).catch((e: unknown) => e);
  expect(error).toMatchObject({ code: "CONTRACT_BROKEN", value: '{"id":7}' });
  expect(JSON.stringify(error) + String(error)).not.toContain("secret@x.y");
});

it("follows a table that is joined with itself without making all of it anew", async () => {
  const shop = await shopPipeline(`${folder.path}/shop`);
  const { orders: silver } = shop.silver ?? {};
  const { pairs } = shop.gold ?? {};
  if (silver === undefined || pairs === undefined) throw new Error("the shop has other models");
  const pipeline = { ...shop, silver: { orders: silver }, gold: { pairs: aggregate(pairs.contract) } };
  const lake = newLake(folder.path, duckdb);
  await writeChanges(lake, duckdb, "orders", [
    put(1, 1, 1),
    put(2, 2, 1),
    put(3, 3, 2),
    put(4, 4, 2),
    put(5, 5, 2),
  ]);
  await run(lake, pipeline);
  await writeChanges(lake, duckdb, "orders", [put(6, 5, 1)]);
  expect((await run(lake, pipeline)).at(-1)).toMatchObject({
    model: "gold.pairs",
    status: "incremental",
    rowsOut: 2,
  });
});
