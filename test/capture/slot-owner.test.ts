/** Two lakes, or two pipelines, that would read one slot. */
import { expect, it } from "vitest";
import { checkPostgres } from "../../jobs/doctor/postgres.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { giveUpSlot } from "../../layers/bronze/capture/give-up-slot.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { parseConfig } from "../../layers/definition/config.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { provisionalSlot } from "../../layers/definition/replication-names.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";
import { captured, capturing } from "./setup.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();
let lake: Lake = newLake(folder.path, duckdb);
const { load, sync, withTables, both } = capturing(database, () => lake);

const commentOf = async ({ name }: PipelineDefinition) => {
  const [row] = await database.query<{ comment: string | null }>(
    "SELECT obj_description(oid, 'pg_publication') AS comment FROM pg_publication WHERE pubname = $1",
    [`ingot_${name}`],
  );
  return row?.comment;
};
const slotsOf = async ({ name }: PipelineDefinition) => {
  const rows = await database.query<{ name: string }>(
    "SELECT slot_name AS name FROM pg_replication_slots WHERE slot_name LIKE $1 ORDER BY 1",
    [`ingot_${name}%`],
  );
  return rows.map((row) => row.name);
};
const giveUp = async (pipeline: PipelineDefinition) => {
  const client = await connect(database.url);
  try {
    return await giveUpSlot(client, pipeline);
  } finally {
    await disconnect(client);
  }
};

it("a second lake is refused, whatever it runs; with a slot of its own both have every row", async () => {
  const first = lake;
  await withTables("CREATE TABLE shared (id int PRIMARY KEY)", captured({ shared: {} }), async (pipeline) => {
    const second = newLake(folder.path, duckdb);
    lake = second;
    await database.query("INSERT INTO shared VALUES (1)");
    await expect(load(pipeline)).rejects.toMatchObject({ code: "SLOT_FOREIGN" });
    await expect(sync(pipeline)).rejects.toMatchObject({ code: "SLOT_FOREIGN" });
    const doctor = async (lakeId: string) => {
      const results = await checkPostgres(database.url, [pipeline], { lake: lakeId });
      return results.find(({ name }) => name.startsWith("slot"));
    };
    expect(await doctor(await first.id())).toMatchObject({ status: "ok" });
    expect(await doctor(await second.id())).toMatchObject({
      status: "failed",
      found: expect.stringContaining(await first.id()),
    });
    const own = { ...pipeline, source: { ...pipeline.source, wal: { slot: `ingot_${pipeline.name}_b` } } };
    await load(own);
    await database.query("INSERT INTO shared VALUES (2)");
    await sync(own);
    expect((await both(pipeline, "shared", ["id"])).bronze).toHaveLength(2);
    lake = first;
    await sync(pipeline);
    expect((await both(pipeline, "shared", ["id"])).bronze).toHaveLength(2);
    expect(await commentOf(pipeline)).toBe(
      `made by Ingot; slot ingot_${pipeline.name}: ingot lake ${await first.id()}; slot ingot_${pipeline.name}_b: ingot lake ${await second.id()}`,
    );
  });
});

it("a slot that is given up can be taken over, with what a repair left; the former lake is refused then", async () => {
  const first = newLake(folder.path, duckdb);
  lake = first;
  await withTables("CREATE TABLE passed (id int PRIMARY KEY)", captured({ passed: {} }), async (pipeline) => {
    const slot = `ingot_${pipeline.name}`;
    await database.query("SELECT pg_copy_logical_replication_slot($1::text, $2::text)", [
      slot,
      provisionalSlot(slot),
    ]);
    expect(await giveUp(pipeline)).toBe(true);
    expect(await giveUp(pipeline)).toBe(false);
    expect(await slotsOf(pipeline)).toEqual([]);
    expect(await commentOf(pipeline)).toBe("made by Ingot");
    await database.query("INSERT INTO passed VALUES (1)");
    lake = newLake(folder.path, duckdb);
    await sync(pipeline);
    expect((await both(pipeline, "passed", ["id"])).bronze).toHaveLength(1);
    lake = first;
    await expect(sync(pipeline)).rejects.toMatchObject({ code: "SLOT_FOREIGN" });
    // The slot of a repair is found where it is the only one.
    await database.query("SELECT pg_copy_logical_replication_slot($1::text, $2::text)", [
      slot,
      provisionalSlot(slot),
    ]);
    await database.query("SELECT pg_drop_replication_slot($1)", [slot]);
    expect(await giveUp(pipeline)).toBe(true);
    expect(await slotsOf(pipeline)).toEqual([]);
    await sync(pipeline);
    expect((await both(pipeline, "passed", ["id"])).bronze).toHaveLength(1);
  });
});

it("a slot of which nobody wrote down whose it is becomes the first lake's; others' publications say nothing", async () => {
  lake = newLake(folder.path, duckdb);
  await withTables("CREATE TABLE old (id int PRIMARY KEY)", captured({ old: {} }), async (pipeline) => {
    await database.query(`COMMENT ON PUBLICATION ingot_${pipeline.name} IS 'made by Ingot'`);
    await sync(pipeline);
    expect(await commentOf(pipeline)).toContain(await lake.id());
    lake = newLake(folder.path, duckdb);
    await expect(sync(pipeline)).rejects.toMatchObject({ code: "SLOT_FOREIGN" });
    await database.query(`COMMENT ON PUBLICATION ingot_${pipeline.name} IS 'ours'`);
    await sync(pipeline);
    expect(await commentOf(pipeline)).toBe("ours");
  });
});

it.each([
  ["the same slot", "a", "b", "same", "same"],
  ["the slot with which the other repairs itself", "shop", "shop_repair", undefined, undefined],
])("two pipelines with %s are refused", (_what, one, two, slotOfOne, slotOfTwo) => {
  const pipeline = (name: string, slot: string | undefined) => ({
    ...captured({ orders: {} }, slot === undefined ? {} : { wal: { slot } }),
    name,
  });
  const parse = (...pipelines: PipelineDefinition[]) => parseConfig({ pipelines }, {}, "ingot.config.ts");
  expect(() => parse(pipeline(one, slotOfOne), pipeline(two, slotOfTwo))).toThrow(
    expect.objectContaining({ code: "CONFIG_INVALID" }),
  );
  expect(parse(pipeline(one, slotOfOne), pipeline(two, "another")).pipelines).toHaveLength(2);
});

it("a lake has one id, whoever asks first; one that cannot be read is not made anew", async () => {
  const { store } = newLake(folder.path, duckdb);
  const ids = await Promise.all(Array.from({ length: 5 }, () => new Lake(store, duckdb).id()));
  expect(new Set(ids).size).toBe(1);
  expect(await new Lake(store, duckdb).tables()).toEqual([]);
  await store.put("_ingot/lake.json", new TextEncoder().encode("{"));
  await expect(new Lake(store, duckdb).id()).rejects.toMatchObject({ code: "LAKE_INVALID" });
});
