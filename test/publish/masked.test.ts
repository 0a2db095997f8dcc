/** What a contract calls sensitive is not published as it is. */
import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { appendRows } from "../../lakehouse/delta/change/append.ts";
import { createTable } from "../../lakehouse/delta/create.ts";
import { inferSchema } from "../../lakehouse/delta/infer-schema.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { full } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import type { PublishedMetric } from "../../layers/definition/published.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { publish } from "../../layers/publish/publish.ts";
import { defineTable, long, text } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const ROWS = `SELECT * FROM (VALUES (1::BIGINT, 'ada@example.com', 'Ada', 30::BIGINT, 'Paris'),
  (2::BIGINT, 'bob@example.com', 'Bob', NULL, 'Rome')) AS t(id, "e""mail", name, age, city)`;
const columns = { id: long(), 'e"mail': text(), name: text(), age: long().nullable(), city: text() };
const open = defineTable({ name: "people", description: "people", key: ["id"], columns });
const hidden = defineTable({
  name: "people",
  description: "people",
  key: ["id"],
  columns: {
    ...columns,
    'e"mail': text().sensitive("hash"),
    name: text().sensitive("mask"),
    age: long().nullable().sensitive("mask"),
    // Of a version of the table that is not built yet.
    later: text().nullable().sensitive("mask"),
  },
});

async function setUp() {
  const lake = newLake(folder.path, duckdb);
  const session = await duckdb.session();
  await createTable(lake.table("shop/gold/people"), { schema: inferSchema(await session.describe(ROWS)) });
  await session.close();
  await appendRows(lake.table("shop/gold/people"), ROWS);
  const target = new EmbeddedTarget(new MemoryStore());
  const run = (contract: typeof open | typeof hidden, part: Partial<PublishedMetric> = {}) => {
    const pipeline: PipelineDefinition = {
      name: "shop",
      source: postgres({ tables: {} }),
      gold: { people: full(contract) },
      publish: [{ model: "people", title: "People", ...part }],
    };
    return publish({ lake, target: async () => target, onProgress: ignoreProgress }, pipeline);
  };
  const key = await lake.id();
  const digest = (value: string) => createHash("sha256").update(`${key}:${value}`).digest("hex");
  return { run, target, digest };
}

it("hides values, in declared parts and in SQL, and gives digests by which rows are found", async () => {
  const { run, target, digest } = await setUp();
  const shown = [
    { id: 1, 'e"mail': digest("ada@example.com"), name: "***", age: null, city: "Paris" },
    { id: 2, 'e"mail': digest("bob@example.com"), name: "***", age: null, city: "Rome" },
  ];
  await run(hidden);
  expect((await target.read("shop/people"))?.rows).toEqual(shown);
  await run(hidden, { name: "own", sql: "SELECT * FROM people", orderBy: ["id"] });
  expect((await target.read("shop/own"))?.rows).toEqual(shown);
  // Nothing is told by asking for it either.
  await run(hidden, { name: "asked", where: { name: "Ada" } });
  expect((await target.read("shop/asked"))?.rows).toEqual([]);
  await run(hidden, { name: "found", as: { kind: "lookup", by: ['e"mail'] } });
  expect(await target.readRow("shop/found", ["ada@example.com"])).toBeUndefined();
  expect(await target.readRow("shop/found", [digest("ada@example.com")])).toEqual(shown[0]);
});

it("publishes again what was published before the contract hid it", async () => {
  const { run, target } = await setUp();
  expect(await run(open)).toMatchObject([{ status: "published" }]);
  expect(await run(open)).toMatchObject([{ status: "unchanged" }]);
  // Types stay what they were: only the values differ.
  const { 'e"mail': mail } = hidden.columns;
  const partly = defineTable({
    name: "people",
    description: "people",
    key: ["id"],
    columns: { ...columns, 'e"mail': mail },
  });
  expect(await run(partly)).toMatchObject([{ status: "published" }]);
  expect(JSON.stringify(await target.read("shop/people"))).not.toContain("example.com");
  expect(await run(partly)).toMatchObject([{ status: "unchanged" }]);
});

it("does not look rows up by a key that is hidden", async () => {
  const { run } = await setUp();
  const secret = defineTable({
    name: "people",
    description: "people",
    key: ["name"],
    columns: { ...columns, name: text().sensitive("mask") },
  }) as unknown as typeof hidden;
  await expect(run(secret, { as: { kind: "lookup" } })).rejects.toMatchObject({ code: "PUBLISH_NO_KEY" });
  await expect(run(secret, { as: { kind: "lookup", by: ["name"] } })).rejects.toMatchObject({
    code: "PUBLISH_KEY_REPEATED",
  });
});
