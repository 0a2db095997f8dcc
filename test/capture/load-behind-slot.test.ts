/** Tables that are gone from a lake whose slot is still there: loaded anew, and captured on from where the slot stands. */

import { rm } from "node:fs/promises";
import { expect, it } from "vitest";
import { Lake } from "../../lakehouse/lake.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { bronzeChanges } from "../support/bronze-state.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";
import { captured, capturing } from "./setup.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();
let lake: Lake = newLake(folder.path, duckdb);
const loseTables = async ({ name }: PipelineDefinition) => {
  await rm(`${lake.store.root}/${name}`, { recursive: true });
  lake = new Lake(lake.store, duckdb);
};
const { load, sync, withTables, both } = capturing(database, () => lake);

const heldBy = async ({ name }: PipelineDefinition) => {
  const [slot] = await database.query<{ held: number }>(
    "SELECT (pg_current_wal_lsn() - restart_lsn)::float8 AS held FROM pg_replication_slots WHERE slot_name = $1",
    [`ingot_${name}`],
  );
  return slot?.held ?? Number.NaN;
};

it("what the slot brings from before the load is passed over, and the source lets go of it", async () => {
  const sql = `CREATE TABLE kept (id int PRIMARY KEY, n int); CREATE TABLE bag (a int); ALTER TABLE bag REPLICA IDENTITY FULL;
    INSERT INTO kept SELECT g, 0 FROM generate_series(1, 100) g; INSERT INTO bag VALUES (1), (1)`;
  await withTables(sql, captured({ kept: {}, bag: { key: "none" } }), async (pipeline) => {
    await database.query(`UPDATE kept SET n = 1 WHERE id <= 50; DELETE FROM kept WHERE id > 90; INSERT INTO kept VALUES (500, 5);
      DELETE FROM bag; INSERT INTO bag VALUES (2), (3)`);
    await database.query("CREATE TABLE noise AS SELECT g, repeat('x', 100) FROM generate_series(1, 40000) g");
    await loseTables(pipeline);
    const held = await heldBy(pipeline);
    const reports = await load(pipeline);
    expect(reports.map(({ status, rows }) => `${status} ${rows}`)).toEqual(["committed 91", "committed 2"]);
    await database.query(`UPDATE kept SET id = 600 WHERE id = 500; DELETE FROM kept WHERE id = 1; INSERT INTO bag VALUES (3);
      UPDATE kept SET n = 2 WHERE id = 2`);
    await sync(pipeline);
    const changes = (await bronzeChanges(lake, `${pipeline.name}/bronze/kept`)).filter(
      (r) => r._ingot_op !== "r",
    );
    expect(changes.map((row) => `${row._ingot_op} ${row.id}`)).toEqual(["d 500", "u 600", "d 1", "u 2"]);
    for (const [table, columns] of [
      ["kept", ["id", "n"]],
      ["bag", ["a"]],
    ] as const) {
      const { bronze, source } = await both(pipeline, table, columns);
      expect(bronze).toEqual(source);
    }
    // Postgres moves what it keeps from one record of running transactions to the next that was acknowledged.
    expect(held).toBeGreaterThan(4_000_000);
    for (let round = 0; round < 20 && (await heldBy(pipeline)) > 1_000_000; round++) {
      await database.query("SELECT pg_log_standby_snapshot()");
      await sync(pipeline);
    }
    expect(await heldBy(pipeline)).toBeLessThan(1_000_000);
  });
});

it("columns that were others before the load are no change of columns", async () => {
  const sql =
    "CREATE TABLE shaped (id int PRIMARY KEY, old text, n int); INSERT INTO shaped VALUES (1, 'a', 1)";
  await withTables(sql, captured({ shaped: { drift: "freeze" } }), async (pipeline) => {
    await database.query("INSERT INTO shaped VALUES (2, 'b', 2)");
    await database.query(
      "ALTER TABLE shaped DROP COLUMN old, ADD COLUMN fresh date, ALTER COLUMN n TYPE bigint",
    );
    await loseTables(pipeline);
    await load(pipeline);
    await database.query("INSERT INTO shaped VALUES (3, 3, '2026-01-01')");
    await sync(pipeline);
    const { bronze, source } = await both(pipeline, "shaped", ["id", "n", "fresh"]);
    expect(bronze).toEqual(source);
  });
});
