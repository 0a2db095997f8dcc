/** Builds that overtake each other: who was slower builds again on what the other made, and what does not read it stands. */
import { expect, it } from "vitest";
import { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { build } from "../../layers/models/build.ts";
import { buildBeside } from "../../layers/models/build-beside.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { auditPipeline, changeBronze, itemOf, sqlText, upsert } from "./audit-shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const TABLES = ["silver/merged", "silver/appended", "gold/grouped", "gold/listed", "gold/loose"] as const;

it("a build that is overtaken ends with what a build alone makes", async () => {
  const lake = newLake(folder.path, duckdb);
  const context = { lake, concurrency: 2, onProgress: ignoreProgress };
  const pipeline = await auditPipeline(folder.path, {});
  await changeBronze(lake, duckdb, "kinds", [upsert([sqlText("a"), "'x'"])]);
  await changeBronze(lake, duckdb, "items", [upsert(itemOf(1))]);
  await build(context, pipeline);
  const rowsOf = async (of: Lake) => {
    const rows: unknown[] = [];
    for (const table of TABLES)
      rows.push(await queryTable(of, `shop/${table}`, "SELECT * FROM t ORDER BY ALL"));
    return rows;
  };
  let overtaken = 0;
  for (let at = 1; at <= 6; at++) {
    await changeBronze(lake, duckdb, "items", [upsert(itemOf(10 + at))]);
    let commits = 0;
    const store = faultyStore(lake.store, ({ method, path }) => {
      if (method !== "putIfAbsent" || !path.startsWith("_delta_log/") || ++commits !== at) return undefined;
      return {
        before: async () => {
          await changeBronze(lake, duckdb, "items", [upsert(itemOf(20 + at))]);
          await build({ ...context, lake: new Lake(lake.store, duckdb) }, pipeline);
          overtaken += 1;
        },
      };
    });
    const outcome = await buildBeside({ ...context, lake: new Lake(store, duckdb) }, pipeline);
    expect([outcome.failures, outcome.blocked]).toEqual([[], []]);
    expect(new Set(outcome.reports.map(({ model }) => model)).size).toBe(outcome.models.length);
    await build(context, pipeline);
    const kept = await rowsOf(lake);
    await build({ ...context, anew: ["silver.*", "gold.*"] }, pipeline);
    expect(kept, `${at}`).toEqual(await rowsOf(lake));
  }
  expect(overtaken).toBeGreaterThan(0);
});
