/** Tables of which nothing, or not everything, is in the WAL. */
import { expect, it } from "vitest";
import type { ProgressEvent } from "../../lakehouse/progress.ts";
import { load as loadInto } from "../../layers/bronze/ingest.ts";
import { captured, useCapture } from "./setup.ts";

const { load, sync, database, dropSlot, context, withTables, expectSame } = await useCapture();

it.each([
  ["unlogged", "CREATE UNLOGGED TABLE fast (id int PRIMARY KEY)", "fast", "public.fast"],
  [
    "with an unlogged partition",
    `CREATE TABLE half (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE half_1 PARTITION OF half FOR VALUES FROM (0) TO (10);
     CREATE UNLOGGED TABLE half_2 PARTITION OF half FOR VALUES FROM (10) TO (20)`,
    "half",
    "public.half_2",
  ],
  [
    "with a partition on another server",
    `CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
     CREATE TABLE far (id int NOT NULL) PARTITION BY RANGE (id); ALTER TABLE far REPLICA IDENTITY FULL;
     CREATE FOREIGN TABLE far_1 PARTITION OF far FOR VALUES FROM (0) TO (10) SERVER nowhere`,
    "far",
    "public.far_1",
  ],
])("a table %s is refused before anything is made", async (_what, sql, table, value) => {
  await database.query(sql);
  const pipeline = captured({ [table]: { key: ["id"] } });
  await expect(load(pipeline)).rejects.toMatchObject({ code: "POSTGRES_NOT_CAPTURED", value });
  expect(await dropSlot(pipeline)).toEqual([]);
  expect(await database.query("SELECT FROM pg_publication")).toEqual([]);
});

it("one that was found, not named, is left out and told; one that is in bronze stops the run", async () => {
  const pipeline = captured({}, { discover: ["found"] });
  const sql = `CREATE SCHEMA found; CREATE TABLE found.good (id int PRIMARY KEY); INSERT INTO found.good VALUES (1);
    CREATE UNLOGGED TABLE found.quick (id int PRIMARY KEY); CREATE TABLE found.vague (id int PRIMARY KEY);
    ALTER TABLE found.vague REPLICA IDENTITY NOTHING`;
  await withTables(sql, pipeline, async () => {
    const events: ProgressEvent[] = [];
    await loadInto({ ...context(), onProgress: (event) => events.push(event) }, pipeline);
    const left = events.filter(({ note }) => note?.startsWith("left out"));
    expect(left.map(({ task, state }) => `${state} ${task}`)).toEqual([
      "skipped bronze.quick",
      "skipped bronze.vague",
    ]);
    await database.query("INSERT INTO found.good VALUES (2); UPDATE found.vague SET id = 2");
    await sync(pipeline);
    await expectSame(pipeline, "good", ["id"], "found.good");
    // What can be captured from now on is taken from now on.
    await database.query(
      "INSERT INTO found.vague VALUES (3); ALTER TABLE found.vague REPLICA IDENTITY DEFAULT",
    );
    await sync(pipeline);
    await expectSame(pipeline, "vague", ["id"], "found.vague");
    await database.query("ALTER TABLE found.good REPLICA IDENTITY NOTHING");
    await expect(sync(pipeline)).rejects.toMatchObject({ code: "POSTGRES_REPLICA_IDENTITY" });
  });
});
