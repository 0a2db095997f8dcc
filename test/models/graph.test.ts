/** Models of every kind over streams of changes: what is kept equals what is made from nothing. */
import { cp } from "node:fs/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { ChangeStream, HISTORY, round } from "./change-stream.ts";
import { dyingLake, killed } from "./dying-lake.ts";
import { type Change, MODEL_TABLES, type SourceName, shopPipeline, writeChanges } from "./shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const pipeline = await shopPipeline(`${folder.path}/pipeline`);

const buildAll = (lake: Lake, definition: PipelineDefinition = pipeline) =>
  build({ lake, concurrency: 2, onProgress: ignoreProgress }, definition);

async function rowsOf(lake: Lake): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const table of MODEL_TABLES)
    found[table] = await queryTable(lake, `shop/${table}`, "FROM t ORDER BY ALL");
  return found;
}

async function write(lake: Lake, taken: ReadonlyMap<SourceName, readonly Change[]>): Promise<void> {
  for (const [source, changes] of taken) await writeChanges(lake, duckdb, source, changes);
}

/** The same models over the same bronze, made from nothing. */
async function rebuilt(lake: Lake): Promise<Record<string, unknown>> {
  const other = newLake(folder.path, duckdb);
  await cp(`${lake.store.root}/shop/bronze`, `${other.store.root}/shop/bronze`, { recursive: true });
  await buildAll(other);
  return rowsOf(other);
}

it("keeps every model equal to its rebuild, whatever changes and wherever a run stops", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
      const lake = newLake(folder.path, duckdb);
      const stream = new ChangeStream();
      for (const [name, rows] of Object.entries(HISTORY))
        await writeChanges(lake, duckdb, name as SourceName, rows);
      await buildAll(lake);
      for (const { commits, fails } of rounds) {
        for (const commit of commits) await write(lake, stream.take(commit));
        if (fails === null) await buildAll(lake);
        else await killed(buildAll(dyingLake(lake, fails)));
      }
      await buildAll(lake);
      expect(await rowsOf(lake)).toEqual(await rebuilt(lake));
    }),
    { numRuns: 4 },
  );
}, 300_000);
