import { expect, it } from "vitest";
import { Lake } from "../../lakehouse/lake.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { load, sync } from "../../layers/bronze/ingest.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

const pipeline: PipelineDefinition = {
  name: "shop",
  source: postgres({ tables: { items: { deletes: "compare" } } }),
};

it("workers racing on one lake never take a row twice", async () => {
  await database.query("CREATE TABLE items (id bigint PRIMARY KEY, n integer)");
  await database.query("INSERT INTO items SELECT g, 0 FROM generate_series(1, 500) g");
  // Each worker has its own view of the lake, as processes have.
  const workers = Array.from({ length: 4 }, () => new Lake(new LocalStore(`${folder.path}/lake`), duckdb));
  const race = (step: typeof load) =>
    Promise.allSettled(workers.map((lake) => step(ingestContext(lake, database.url), pipeline)));

  const loads = await race(load);
  expect(loads.filter((outcome) => outcome.status === "fulfilled").length).toBeGreaterThan(0);
  for (let round = 1; round <= 5; round++) {
    await database.query("UPDATE items SET n = $1 WHERE id <= 100", [round]);
    await database.query("INSERT INTO items SELECT max(id) + 1, $1 FROM items", [round]);
    await database.query("DELETE FROM items WHERE id = $1", [200 + round]);
    for (const outcome of await race(sync)) {
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "BRONZE_RACE_LOST" });
    }
  }
  const [lake] = workers;
  if (lake === undefined) throw new Error("no worker");
  await sync(ingestContext(lake, database.url), pipeline);
  expect(
    await queryTable(
      lake,
      "shop/bronze/items",
      "SELECT _ingot_op AS op, count(*) AS n FROM t GROUP BY ALL ORDER BY op",
    ),
  ).toEqual([
    { op: "d", n: 5n },
    { op: "r", n: 500n },
    { op: "u", n: 505n },
  ]);
});
