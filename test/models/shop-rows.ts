/** What the tables of the shop hold, as they were kept and as they are made from nothing. */
import { cp } from "node:fs/promises";
import type { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { type BuildReport, build } from "../../layers/models/build.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { MODEL_TABLES } from "./shop.ts";

export const buildShop = (lake: Lake, pipeline: PipelineDefinition): Promise<BuildReport[]> =>
  build({ lake, concurrency: 2, onProgress: ignoreProgress }, pipeline);

/** The rows of all models, by table. */
export async function shopRows(lake: Lake): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const table of MODEL_TABLES)
    found[table] = await queryTable(lake, `shop/${table}`, "FROM t ORDER BY ALL");
  return found;
}

/** The rows that the models have over the same bronze, made from nothing in a lake below `folder`. */
export async function rebuiltRows(
  lake: Lake,
  folder: string,
  pipeline: PipelineDefinition,
): Promise<Record<string, unknown>> {
  const other = newLake(folder, lake.duckdb);
  await cp(`${lake.store.root}/shop/bronze`, `${other.store.root}/shop/bronze`, { recursive: true });
  await buildShop(other, pipeline);
  return shopRows(other);
}
