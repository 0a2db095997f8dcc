/** Folders, logs and ids from which maintenance could take what is still needed. */
import { rename, symlink, utimes } from "node:fs/promises";
import { describe, expect, it, test } from "vitest";
import { alterTable } from "../../../lakehouse/delta/alter.ts";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { cleanLog } from "../../../lakehouse/delta/log/clean.ts";
import { restoreTable } from "../../../lakehouse/delta/maintain/restore.ts";
import { vacuumTable } from "../../../lakehouse/delta/maintain/vacuum.ts";
import { fieldId } from "../../../lakehouse/delta/mapping.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { Transaction } from "../../../lakehouse/table/transaction.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { readRows } from "../../support/rows.ts";
import { tablesIn } from "../change/setup.ts";
import { makeTable, row, rowsOf } from "./setup.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const tableOf = tablesIn(folder, duckdb);
const DAY = 24 * 3600 * 1000;

describe("vacuum", () => {
  it.each([
    ["elsewhere", () => `${folder.path}/${crypto.randomUUID()}`],
    ["beside the table, under a name that the table's begins with", (root: string) => root.slice(0, -2)],
  ])(
    "keeps the files of partition folders that are links (to a folder %s), and takes others from them",
    async (_where, place) => {
      const store = new LocalStore(`${folder.path}/${crypto.randomUUID()}`);
      const table = await makeTable(new DeltaTable(store, duckdb), { partitioned: true });
      await appendRows(table, `${row(1, "a")} UNION ALL ${row(2, "b")}`);
      const elsewhere = place(store.root);
      await rename(`${store.root}/p=a`, elsewhere);
      await symlink(elsewhere, `${store.root}/p=a`);
      const stray = "p=a/stray.parquet";
      await store.put(stray, Buffer.from("PAR1"));
      const old = Date.now() / 1000 - 30 * 24 * 3600;
      for (const { path } of await store.list("p=")) await utimes(store.address(path), old, old);
      await utimes(elsewhere, old, old);
      const before = await rowsOf(table);
      expect((await vacuumTable(table)).files).toMatchObject([{ path: stray }]);
      expect(await rowsOf(table)).toEqual(before);
      expect((await store.list("p=")).map(({ path }) => path.slice(0, 4))).toEqual(["p=a/", "p=b/"]);
    },
  );
});

describe("restore", () => {
  it.each(["name", "id"])("gives no id of a column twice (column mapping: %s)", async (mode) => {
    const properties = { "delta.columnMapping.mode": mode };
    const table = await tableOf({ x: "integer" }, "SELECT 1 AS x", { properties });
    await alterTable(table, { addColumn: { name: "y", type: "integer" } });
    await appendRows(table, "SELECT 2 AS x, 20 AS y");
    const later = await table.existingSnapshot();
    await restoreTable(table, { version: 1 });
    await alterTable(table, { addColumn: { name: "z", type: "integer" } });
    const { schema, metadata } = await table.existingSnapshot();
    expect(schema.fields.map(fieldId)).toEqual([1, 3]);
    expect(metadata.configuration["delta.columnMapping.maxColumnId"]).toBe("3");
    await restoreTable(table, { version: later.version });
    expect(await readRows(duckdb, table)).toEqual([
      { x: 1, y: null },
      { x: 2, y: 20 },
    ]);
    const restored = (await table.existingSnapshot()).metadata.configuration;
    expect(restored["delta.columnMapping.maxColumnId"]).toBe("3");
  });

  it("to a version before the mapping keeps the highest id for a mapping to come", async () => {
    const table = await tableOf({ x: "integer" }, "SELECT 1 AS x");
    const mapping = { setProperties: { "delta.columnMapping.mode": "name" } };
    await alterTable(table, mapping);
    await alterTable(table, { addColumn: { name: "y", type: "integer" } });
    await restoreTable(table, { version: 1 });
    await alterTable(table, mapping);
    await alterTable(table, { addColumn: { name: "z", type: "integer" } });
    const { schema, metadata } = await table.existingSnapshot();
    expect(new Set(schema.fields.map(fieldId))).not.toContain(2);
    expect(Number(metadata.configuration["delta.columnMapping.maxColumnId"])).toBeGreaterThan(2);
  });
});

test("a commit on a version that was cleaned out of the log is lost, and takes its files along", async () => {
  let now = Date.now();
  const engine = { now: () => now, checkpointInterval: 5 };
  const properties = { "delta.logRetentionDuration": "interval 1 days" };
  const table = await tableOf({ x: "integer" }, "SELECT 0 AS x", { properties, engine });
  const held = new DeltaTable(table.store, duckdb, engine);
  const transaction = new Transaction(held, await held.existingSnapshot());
  await transaction.append("SELECT 777 AS x");
  for (let i = 0; i < 10; i++) await appendRows(table, "SELECT 1 AS x");
  now += 3 * DAY;
  const current = await table.existingSnapshot();
  const gone = await cleanLog(table.store, duckdb, current, now);
  expect(gone.length).toBeGreaterThan(3);
  const files = (await table.store.list("part-")).length;
  // The name of the next entry is free again: whoever took it would be seen by nobody.
  expect(await transaction.commit()).toMatchObject({
    status: "lost",
    reason: expect.stringContaining("log"),
  });
  expect((await table.store.list("part-")).length).toBe(files - 1);
  const fresh = new DeltaTable(table.store, duckdb, engine);
  expect((await fresh.existingSnapshot()).version).toBe(current.version);
  await appendRows(held, "SELECT 778 AS x");
  expect((await readRows(duckdb, fresh)).map((r) => r.x).slice(-2)).toEqual([1, 778]);
});
