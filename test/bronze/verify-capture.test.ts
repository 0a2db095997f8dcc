import { expect, it } from "vitest";
import { load, sync } from "../../layers/bronze/ingest.ts";
import { dropSlot } from "../../layers/bronze/postgres/replication/slot.ts";
import { createSlotSnapshot } from "../../layers/bronze/postgres/replication/slot-snapshot.ts";
import { shareSlotSnapshot } from "../../layers/bronze/postgres/snapshot.ts";
import { describeAll } from "../../layers/bronze/source-tables.ts";
import { repairTables } from "../../layers/bronze/verify/repair-tables.ts";
import { verify } from "../../layers/bronze/verify/verify.ts";
import { currentStateSql } from "../../layers/definition/bronze-state.ts";
import { type PipelineDefinition, postgres, type SourceTable } from "../../layers/definition/pipeline.ts";
import { replicationNames } from "../../layers/definition/replication-names.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";
import { writeRows } from "../support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

/** A lake with tables of the columns `id` and `v`, captured from the WAL under a slot of their own. */
async function captured(name: string, tables: Readonly<Record<string, SourceTable>>) {
  const pipeline: PipelineDefinition = { name, source: postgres({ changes: "wal", tables }) };
  const lake = newLake(folder.path, duckdb);
  const context = ingestContext(lake, database.url);
  await load(context, pipeline);
  return {
    context,
    pipeline,
    sync: () => sync(context, pipeline),
    verify: (options = {}) => verify(context, pipeline, options),
    /** Appends a change that never was. */
    spoil: async (table: string, operation: string, id: number, v: string | null) => {
      const target = lake.table(`${name}/bronze/${table}`);
      const lsn = (await target.existingSnapshot()).transactions.get("ingot.source")?.version ?? 0;
      const value = v === null ? "NULL::VARCHAR" : `'${v}'`;
      await writeRows(
        duckdb,
        target,
        `SELECT ${id} AS id, ${value} AS v, '${operation}' AS _ingot_op, ${lsn} - 1 AS _ingot_lsn, 1000000 AS _ingot_seq,
                NULL AS _ingot_xid, NULL AS _ingot_committed_at, now() AS _ingot_at, NULL AS _ingot_rescued`,
      );
    },
    agrees: async (table: string, key: readonly string[]) => {
      const state = await queryTable(
        lake,
        `${name}/bronze/${table}`,
        `SELECT id::VARCHAR AS id, v FROM (${currentStateSql("FROM t", key, ["id", "v"])}) ORDER BY ALL`,
      );
      const source = await database.query(
        `SELECT id::text, v FROM ${table} ORDER BY id::text COLLATE "C", v COLLATE "C"`,
      );
      expect(state).toEqual(source);
    },
    end: async () => {
      const client = await database.connect();
      await dropSlot(client, replicationNames(pipeline).slot);
      await client.end();
    },
  };
}

it("compares with one place of the WAL, repairs, and capture goes on behind it", async () => {
  await database.query(
    "CREATE TABLE seats (id int PRIMARY KEY, v text); CREATE TABLE calls (id int, v text)",
  );
  await database.query("INSERT INTO seats SELECT g, 'v' || g FROM generate_series(1, 500) g");
  await database.query("INSERT INTO calls SELECT g % 10, 'c' FROM generate_series(1, 100) g");
  const lake = await captured("theatre", { seats: {}, calls: { key: "none" } });
  await database.query(
    "UPDATE seats SET v = 'sold' WHERE id <= 50; INSERT INTO calls VALUES (1, 'c'), (11, 'd')",
  );
  expect((await lake.verify()).map(({ status }) => status)).toEqual(["same", "same"]);

  await lake.spoil("seats", "d", 7, null);
  await lake.spoil("seats", "u", 8, "wrong");
  await lake.spoil("seats", "i", 900, "never");
  await lake.spoil("calls", "d", 1, "c");
  await lake.spoil("calls", "i", 1, "never");
  // Of one that is spoilt the source knows a later change, which makes up for it.
  await lake.spoil("seats", "u", 9, "wrong");
  await database.query("UPDATE seats SET v = 'later' WHERE id = 9");
  const [seats, calls] = await lake.verify({ rangeRows: 50 });
  expect(seats).toMatchObject({ status: "different", missing: 1, extra: 1, different: 1, ranges: 10 });
  expect(calls).toMatchObject({ status: "different", missing: 1, extra: 1, different: 0, ranges: 1 });
  expect((await lake.verify({ repair: true })).map((t) => [t.status, t.repaired])).toEqual([
    ["repaired", 3],
    ["repaired", 2],
  ]);
  expect((await lake.verify()).map(({ status }) => status)).toEqual(["same", "same"]);
  await database.query(
    "UPDATE seats SET v = 'after' WHERE id IN (7, 8); INSERT INTO seats VALUES (900, 'new')",
  );
  await lake.sync();
  await lake.agrees("seats", ["id"]);
  await lake.agrees("calls", []);
  await lake.end();
});

it("brings tables up to a new slot when the old one is lost, reading only what differs", async () => {
  await database.query(
    "CREATE TABLE stock (id int PRIMARY KEY, v text); CREATE TABLE idle (id int PRIMARY KEY, v text)",
  );
  await database.query("INSERT INTO stock SELECT g, repeat('x', 200) || g FROM generate_series(1, 5000) g");
  const lake = await captured("depot", { stock: {}, idle: {} });
  await lake.end();
  await database.query(
    "UPDATE stock SET v = 'unseen' WHERE id = 10; DELETE FROM stock WHERE id = 20; INSERT INTO stock VALUES (6000, 'unseen')",
  );

  const { slot } = replicationNames(lake.pipeline);
  const shared = await shareSlotSnapshot(database.url, await createSlotSnapshot(lake.context, slot));
  // Changes that the new slot sends.
  await database.query("UPDATE stock SET v = 'seen' WHERE id IN (10, 30)");
  const tables = await describeAll(database.url, lake.pipeline);
  const reports = await repairTables(lake.context, lake.pipeline, shared, { tables, movePosition: true });
  await shared.end();
  expect(reports).toMatchObject([
    { table: "bronze.stock", status: "repaired", repaired: 3, missing: 1, extra: 1, different: 1 },
    { table: "bronze.idle", status: "same", repaired: 0, bytes: 0 },
  ]);
  expect(reports[0]?.bytes).toBeLessThan(100_000);
  for (const { bronze } of tables) {
    const snapshot = await lake.context.lake.table(`depot/bronze/${bronze}`).existingSnapshot();
    expect(snapshot.transactions.get("ingot.source")?.version).toBe(shared.moment.lsn);
  }
  await lake.sync();
  await lake.agrees("stock", ["id"]);
  expect((await lake.verify()).map(({ status }) => status)).toEqual(["same", "same"]);
  await lake.end();
});
