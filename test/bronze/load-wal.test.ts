import { expect, it } from "vitest";
import { Lake } from "../../lakehouse/lake.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { readPosition } from "../../layers/bronze/position.ts";
import { parseLsn } from "../../layers/bronze/postgres/lsn.ts";
import { isLoading } from "../../layers/definition/bronze-columns.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";
import { createLarge } from "./large-table.ts";
import { killedLoad } from "./load-process.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

const RANGE = 20 * 8192;
const opened = (lake: Lake) => new Lake(new LocalStore(lake.store.root), duckdb);

const pipelineOf = (name: string, ...tables: string[]): PipelineDefinition => ({
  name,
  source: postgres({ tables: Object.fromEntries(tables.map((table) => [table, {}])), changes: "wal" }),
});

const slotsOf = (name: string) =>
  database.query<{ point: string }>(
    "SELECT confirmed_flush_lsn::text AS point FROM pg_replication_slots WHERE slot_name = $1",
    [name],
  );

it("a load for capture makes the slot, and its rows lie where the slot begins; a later table lies behind", async () => {
  await database.query(
    "CREATE TABLE one (id bigint PRIMARY KEY, n int); INSERT INTO one SELECT g, 0 FROM generate_series(1, 500) g",
  );
  await database.query(
    "CREATE TABLE two (id bigint PRIMARY KEY); INSERT INTO two SELECT generate_series(1, 50)",
  );
  const lake = newLake(folder.path, duckdb);
  await load(ingestContext(lake, database.url), pipelineOf("w", "one"));
  const [slot] = await slotsOf("ingot_w");
  const begin = Number(parseLsn(slot?.point ?? ""));
  const lsnOf = (table: string) =>
    queryTable(
      opened(lake),
      `w/bronze/${table}`,
      "SELECT DISTINCT _ingot_lsn::DOUBLE AS lsn, _ingot_xid AS xid FROM t",
    );
  expect(await lsnOf("one")).toEqual([{ lsn: begin, xid: null }]);
  const position = readPosition(await lake.table("w/bronze/one").existingSnapshot());
  expect(position).toMatchObject({ changes: "wal", mixed: false, lsn: begin });

  await database.query("UPDATE one SET n = 1");
  const reports = await load(ingestContext(opened(lake), database.url), pipelineOf("w", "one", "two"));
  expect(reports.map((report) => report.status)).toEqual(["skipped", "committed"]);
  expect(Number((await lsnOf("two"))[0]?.lsn)).toBeGreaterThan(begin);
  expect(await slotsOf("ingot_w")).toEqual([slot]);
  expect(await database.query("SELECT count(*)::int AS n FROM pg_replication_slots WHERE temporary")).toEqual(
    [{ n: 0 }],
  );

  await expect(
    load(ingestContext(opened(lake), database.url), { name: "w", source: postgres({ tables: { one: {} } }) }),
  ).rejects.toMatchObject({ code: "BRONZE_OTHER_CHANGES" });
  await database.query("SELECT pg_drop_replication_slot('ingot_w')");
  await database.query("CREATE TABLE three (id bigint PRIMARY KEY)");
  await expect(
    load(ingestContext(opened(lake), database.url), pipelineOf("w", "one", "three")),
  ).rejects.toMatchObject({
    code: "SLOT_LOST",
  });
});

it("a killed load goes on, its position is where the slot begins, and the rest lies behind it", async () => {
  await createLarge(database, "big");
  const lake = newLake(folder.path, duckdb);
  for (let steps = 25; ; steps += 10) {
    const at = { steps, milliseconds: 0, rangeBytes: RANGE, changes: "wal" as const };
    expect(await killedLoad({ url: database.url, lake: lake.store.root, table: "big", ...at })).toBe(true);
    if ((await opened(lake).table("p/bronze/big").snapshot()) !== undefined) break;
  }
  const [slot] = await slotsOf("ingot_p");
  await database.query("UPDATE big SET n = 1 WHERE id % 3 = 0");
  const begin = Number(parseLsn(slot?.point ?? ""));
  await load(ingestContext(opened(lake), database.url), pipelineOf("p", "big"), { rangeBytes: RANGE });
  expect(await slotsOf("ingot_p")).toEqual([slot]);
  const snapshot = await opened(lake).table("p/bronze/big").existingSnapshot();
  expect(readPosition(snapshot)).toMatchObject({ lsn: begin, changes: "wal" });
  expect(isLoading(snapshot)).toBe(false);
  const lsns = await queryTable(
    opened(lake),
    "p/bronze/big",
    "SELECT DISTINCT _ingot_lsn::DOUBLE AS lsn FROM t ORDER BY 1",
  );
  expect(lsns.length).toBe(2);
  expect(Number(lsns[0]?.lsn)).toBeLessThanOrEqual(Number(lsns[1]?.lsn));
  // What changed in between is in the stream; every other row is here.
  const ids = "SELECT count(DISTINCT id)::INTEGER AS n FROM t WHERE id % 3 <> 0";
  expect(await queryTable(opened(lake), "p/bronze/big", ids)).toEqual([{ n: 10_000 }]);
  await database.query("SELECT pg_drop_replication_slot('ingot_p')");
});
