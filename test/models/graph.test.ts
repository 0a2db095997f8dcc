/** Models of every kind over streams of changes: what is kept equals what is made from nothing. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Lake } from "../../lakehouse/lake.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";
import { ChangeStream, HISTORY, round } from "./change-stream.ts";
import { dyingLake, killed } from "./dying-lake.ts";
import { type Change, type SourceName, shopPipeline, writeChanges } from "./shop.ts";
import { buildShop, rebuiltRows, shopRows } from "./shop-rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const pipeline = await shopPipeline(`${folder.path}/pipeline`);

async function write(lake: Lake, taken: ReadonlyMap<SourceName, readonly Change[]>): Promise<void> {
  for (const [source, changes] of taken) await writeChanges(lake, duckdb, source, changes);
}

it("keeps every model equal to its rebuild, whatever changes and wherever a run stops", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
      const lake = newLake(folder.path, duckdb);
      const stream = new ChangeStream();
      for (const [name, rows] of Object.entries(HISTORY))
        await writeChanges(lake, duckdb, name as SourceName, rows);
      await buildShop(lake, pipeline);
      for (const { commits, fails } of rounds) {
        for (const commit of commits) await write(lake, stream.take(commit));
        if (fails === null) await buildShop(lake, pipeline);
        else await killed(buildShop(dyingLake(lake, fails), pipeline));
      }
      await buildShop(lake, pipeline);
      expect(await shopRows(lake)).toEqual(await rebuiltRows(lake, folder.path, pipeline));
    }),
    { numRuns: 4 },
  );
}, 300_000);
