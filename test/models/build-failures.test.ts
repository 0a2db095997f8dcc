/** A model that fails stops those that read it, and no other; all of it is told. */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { IngotError, TransientError } from "../../lakehouse/errors.ts";
import type { ProgressEvent } from "../../lakehouse/progress.ts";
import { sql } from "../../layers/definition/audit.ts";
import { aggregate, append, full, merge } from "../../layers/definition/model.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { build, buildModels } from "../../layers/models/build.ts";
import { buildError } from "../../layers/models/build-outcome.ts";
import { defineTable, long, text, timestamp } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";
import { auditPipeline, changeBronze, itemOf, sqlText, upsert } from "./audit-shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const FAILING = "SELECT id, kind, n, email, error('no')::TIMESTAMPTZ AS seen FROM bronze.items";

/** The shop without sensitive columns: errors tell all. */
const plain = () => {
  const open = {
    id: long(),
    kind: text().nullable(),
    n: long().nullable(),
    email: text().nullable(),
    seen: timestamp().nullable(),
  };
  const about = { name: "item", description: "items", columns: open };
  const item = defineTable({ ...about, key: ["id"] });
  const loose = defineTable(about);
  return {
    "silver.merged": merge(item),
    "silver.appended": append(loose),
    "gold.grouped": aggregate(item),
    "gold.listed": full(item),
    "gold.loose": full(loose),
  };
};

async function shop(failing: Readonly<Record<string, string>>) {
  const lake = newLake(folder.path, duckdb);
  await changeBronze(lake, duckdb, "kinds", [upsert([sqlText("a"), "'x'"])]);
  await changeBronze(lake, duckdb, "items", [upsert(itemOf(1))]);
  const pipeline = await auditPipeline(folder.path, { sql: failing, contracts: plain() });
  const events: ProgressEvent[] = [];
  const context = { lake, concurrency: 1, onProgress: (event: ProgressEvent) => void events.push(event) };
  return { lake, pipeline, events, context };
}

it("runs what does not read a model that failed, and says what stands still because of it", async () => {
  const { pipeline, events, context } = await shop({ "silver/merged": FAILING });
  const outcome = await buildModels(context, pipeline);
  expect(outcome.reports.map(({ model, status }) => [model, status])).toEqual([
    ["silver.kinds", "rebuilt"],
    ["silver.appended", "rebuilt"],
  ]);
  expect(outcome.failures).toMatchObject([
    { model: "silver.merged", version: undefined, error: { code: "MODEL_SQL" } },
  ]);
  const by = "silver.merged";
  expect(outcome.blocked).toEqual([
    { model: "gold.grouped", by },
    { model: "gold.listed", by },
    { model: "gold.loose", by },
  ]);
  expect(events).toContainEqual({ task: "gold.loose", state: "skipped", note: "blocked by silver.merged" });
  expect(events).toContainEqual({ task: by, state: "failed", note: expect.stringContaining("no") });
  expect(buildError(outcome)).toMatchObject({
    code: "MODEL_SQL",
    value: expect.stringMatching(/merged\.sql$/),
  });
});

it("names the model that failed, not one that was blocked by it", async () => {
  const { pipeline, context } = await shop({
    "silver/merged": FAILING,
    "gold/listed": "SELECT id, kind, n, email, seen FROM gold.grouped",
  });
  const { blocked } = await buildModels(context, pipeline);
  expect(blocked).toContainEqual({ model: "gold.listed", by: "silver.merged" });
});

it("tells of every model that failed, in one error", async () => {
  const { pipeline, context } = await shop({ "silver/merged": FAILING, "silver/appended": FAILING });
  await expect(build(context, pipeline)).rejects.toMatchObject({
    code: "BUILD_FAILED",
    message: "2 models failed: silver.merged, silver.appended",
    value: expect.stringMatching(/^silver\.merged: .*\(MODEL_SQL\)[\s\S]*silver\.appended: .*\(MODEL_SQL\)$/),
    next: expect.stringContaining("Correct the SQL"),
  });
});

it("may be tried again only where each of the failures may", () => {
  const transient = (model: string) => {
    const error = new TransientError("race", { code: "MODEL_RACE_LOST", value: 1, next: "Again." });
    return { model, error, version: 1, audits: [] };
  };
  const odd = { model: "c", error: new Error("odd"), version: 1, audits: [] };
  const outcome = { models: [], reports: [], blocked: [] };
  const both = buildError({ ...outcome, failures: [transient("a"), transient("b")] });
  expect(both).toBeInstanceOf(TransientError);
  const mixed = buildError({ ...outcome, failures: [transient("a"), odd] });
  expect(mixed).toBeInstanceOf(IngotError);
  expect(mixed).not.toBeInstanceOf(TransientError);
  expect(buildError({ ...outcome, failures: [odd] })).toBe(odd.error);
  expect(buildError({ ...outcome, failures: [] })).toBeUndefined();
});

it("blocks by an audit too, and goes on from where it was once that passes", async () => {
  const { pipeline: good, context, lake } = await shop({});
  const audit = sql("no 2", "FROM silver.merged WHERE id = 2");
  const merged = good.silver?.merged;
  if (merged === undefined) throw new Error("no model");
  const pipeline: PipelineDefinition = {
    ...good,
    silver: { ...good.silver, merged: { ...merged, audits: [audit] } },
  };
  await build(context, pipeline);
  await changeBronze(lake, duckdb, "items", [upsert(itemOf(2))]);
  const outcome = await buildModels(context, pipeline);
  expect(outcome.failures).toMatchObject([
    { model: "silver.merged", version: 0, error: { code: "AUDIT_FAILED" } },
  ]);
  expect(outcome.failures[0]?.audits).toMatchObject([{ audit: "no 2", failing: 1 }]);
  expect(outcome.blocked.map(({ model }) => model)).toEqual(["gold.grouped", "gold.listed", "gold.loose"]);
  await changeBronze(lake, duckdb, "items", [{ op: "d", values: itemOf(2) }]);
  expect((await buildModels(context, pipeline)).failures).toEqual([]);
});

it("says why a table was made anew", async () => {
  const { pipeline, context, lake } = await shop({});
  const reasons = async (more: object = {}) => {
    const reports = await build({ ...context, ...more }, pipeline);
    return Object.fromEntries(reports.map(({ model, status, reason }) => [model, [status, reason]]));
  };
  const first = await reasons();
  expect(Object.values(first)).toEqual(
    Object.values(first).map(() => ["rebuilt", "its table does not exist"]),
  );
  expect(await reasons({ anew: ["silver.kinds"] })).toMatchObject({
    "silver.kinds": ["rebuilt", "--anew"],
    "silver.merged": ["unchanged", undefined],
  });
  await writeFile(
    fileURLToPath(new URL("silver/appended.sql", pipeline.folder)),
    "SELECT id, kind, n + 1 AS n, email, seen FROM bronze.items",
  );
  await changeBronze(lake, duckdb, "items", [upsert(itemOf(2))]);
  expect(await reasons()).toMatchObject({
    "silver.appended": ["rebuilt", "its SQL changed"],
    "silver.merged": ["incremental", undefined],
    "gold.grouped": ["incremental", undefined],
    "gold.loose": ["rebuilt", "its rows differ, and have no key"],
  });
  await build({ ...context, select: ["silver.merged"], anew: ["silver.merged"] }, pipeline);
  await lake.table("shop/silver/merged").existingSnapshot();
  await changeBronze(lake, duckdb, "items", [{ op: "t" as never, values: itemOf(0) }]);
  expect(await reasons()).toMatchObject({
    "silver.merged": ["rebuilt", "changes lie before, or undo, what was taken in"],
  });
});
