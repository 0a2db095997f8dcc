/** Tables of which nothing, or not everything, is in the WAL. */
import { expect, it } from "vitest";
import { captured, useCapture } from "./setup.ts";

const { load, database, dropSlot } = await useCapture();

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
