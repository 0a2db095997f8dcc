/** What a build could not make is not published: an old figure must not be taken for a fresh one. */
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import type { Runtime } from "../../jobs/runtime.ts";
import { publishBuilt, tryBuildStep } from "../../jobs/steps.ts";
import { parseConfig } from "../../layers/definition/config.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { auditPipeline, changeBronze, itemOf, upsert } from "../models/audit-shop.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const FAILING = "SELECT id, kind, n, email, error('no')::TIMESTAMPTZ AS seen FROM silver.merged";

async function shop(sql: Readonly<Record<string, string>> = {}) {
  const lake = newLake(folder.path, duckdb);
  await changeBronze(lake, duckdb, "kinds", []);
  await changeBronze(lake, duckdb, "items", [upsert(itemOf(1))]);
  const models = await auditPipeline(folder.path, { sql });
  const publish = ["grouped", "listed"].map((model) => ({ model, title: model, expiresAfter: 60 }));
  const pipeline: PipelineDefinition = { ...models, publish };
  const target = new EmbeddedTarget(lake.store);
  const runtime: Runtime = {
    config: parseConfig({ pipelines: [pipeline] }, {}, "ingot.config.ts"),
    folder: folder.path,
    lakeRoot: lake.store.root,
    lake,
    onProgress: () => {},
    database: () => Promise.reject(new Error("not asked for")),
    target: async () => target,
    pipelines: () => [pipeline],
    endProgress: () => {},
  };
  const run = async () => publishBuilt(runtime, pipeline, await tryBuildStep(runtime, pipeline));
  return { lake, pipeline, target, run };
}

it("lets the metric of a model that fails grow old, and publishes the others", async () => {
  const { lake, pipeline, target, run } = await shop();
  await run();
  const before = await target.read("shop/listed");
  await writeFile(fileURLToPath(new URL("gold/listed.sql", pipeline.folder)), FAILING);
  await changeBronze(lake, duckdb, "items", [upsert(itemOf(2))]);
  await expect(run()).rejects.toMatchObject({ code: "MODEL_SQL" });
  expect((await target.read("shop/grouped"))?.rows).toHaveLength(2);
  expect(await target.read("shop/listed")).toEqual(before);
});

it("tells what a first build failed of, and not that there is nothing to publish", async () => {
  const { target, run } = await shop({ "gold/listed": FAILING });
  await expect(run()).rejects.toMatchObject({ code: "MODEL_SQL" });
  expect((await target.read("shop/grouped"))?.rows).toHaveLength(1);
  expect(await target.read("shop/listed")).toBeUndefined();
});
