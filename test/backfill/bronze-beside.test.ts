/** Ranges of bronze read again while another run takes changes of the same rows, at whatever point of it. */
import { expect, it } from "vitest";
import { deleteRows } from "../../lakehouse/delta/change/delete.ts";
import { codeOf } from "../../lakehouse/errors.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { prepareBronze } from "../../layers/backfill/backfill-bronze.ts";
import { load, sync } from "../../layers/bronze/ingest.ts";
import { verify } from "../../layers/bronze/verify/verify.ts";
import { currentStateSql } from "../../layers/definition/bronze-state.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();
const MOST_MOMENTS = 40;

it.each([
  ["query", "backfill"],
  ["wal", "backfill"],
  ["query", "verify"],
] as const)("changes found by %s: %s never puts a former row over a newer one", async (changes, how) => {
  const name = `${changes}_${how}`;
  await database.query(`CREATE TABLE ${name} (id bigint PRIMARY KEY, v text)`);
  await database.query(`INSERT INTO ${name} SELECT g, 'v' || g FROM generate_series(1, 20) g`);
  const pipeline: PipelineDefinition = {
    name: `p_${name}`,
    source: postgres({ changes, tables: { [name]: {} } }),
  };
  const lake = newLake(folder.path, duckdb);
  const path = `${pipeline.name}/bronze/${name}` as const;
  const context = ingestContext(lake, database.url);
  await load(context, pipeline);
  const rival = async (at: number) => {
    await database.query(`UPDATE ${name} SET v = 'rival ' || $1::text WHERE id IN (3, 10)`, [at]);
    const other = new Lake(lake.store, duckdb);
    // It may be this run itself that reads the slot just now.
    await sync({ ...context, lake: other }, pipeline).catch((error: unknown) => {
      if (!["SLOT_ACTIVE", "BRONZE_RACE_LOST"].includes(codeOf(error) ?? "")) throw error;
    });
  };
  let came = true;
  for (let at = 1; came && at < MOST_MOMENTS; at++) {
    await deleteRows(lake.table(path), "id IN (3, 4)");
    await database.query(`UPDATE ${name} SET v = 'before ' || $1::text WHERE id = 10`, [at]);
    let moments = 0;
    came = false;
    const store = faultyStore(lake.store, ({ method, path: file }) => {
      const isMoment = ["list", "putIfAbsent"].includes(method) && file.startsWith("_delta_log/");
      if (!isMoment || ++moments !== at) return undefined;
      came = true;
      return { before: () => rival(at) };
    });
    const beside = { ...context, lake: new Lake(store, duckdb) };
    const request = { model: `bronze.${name}`, column: "id", from: "1", to: "21" };
    if (how === "verify") await verify(beside, pipeline, { repair: true });
    else await (await prepareBronze(beside, pipeline, request)).run();
    await sync(context, pipeline);
    const state = await queryTable(
      lake,
      path,
      `SELECT id::INTEGER AS id, v FROM (${currentStateSql("FROM t", ["id"], [])}) AS s ORDER BY s.id`,
    );
    expect(state, `${at}`).toEqual(await database.query(`SELECT id::int, v FROM ${name} ORDER BY id`));
  }
  expect(came).toBe(false);
});
