import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alterTable } from "../../../lakehouse/delta/alter.ts";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { changeFeedSql } from "../../../lakehouse/delta/change/change-feed.ts";
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { overwriteRows } from "../../../lakehouse/delta/change/overwrite.ts";
import { restoreTable } from "../../../lakehouse/delta/maintain/restore.ts";
import { vacuumTable } from "../../../lakehouse/delta/maintain/vacuum.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { MemoryStore } from "../../../lakehouse/store/memory.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { faultyStore } from "../../support/faulty-store.ts";
import { useFolder } from "../../support/folder.ts";
import { applyChange, histories, layouts, makeTable, row, rowsOf } from "./setup.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const newTable = () => new DeltaTable(new LocalStore(`${folder.path}/${crypto.randomUUID()}`), duckdb);
const HOUR = 3600 * 1000;

/** Restores one of the versions; a version that this makes is added to `states`. */
async function restoreOne(table: DeltaTable, pick: number, states: string[][]): Promise<void> {
  const before = await table.existingSnapshot();
  const target = await table.existingSnapshot(pick % (before.version + 1));
  const result = await restoreTable(table, { version: target.version });
  const after = await table.existingSnapshot();
  expect(await rowsOf(table)).toEqual(await rowsOf(table, target.version));
  expect(after.schema).toEqual(target.schema);
  expect(after.transactions).toEqual(before.transactions);
  expect(after.protocol.minReaderVersion).toBeGreaterThanOrEqual(before.protocol.minReaderVersion);
  expect(result.version).toBe(after.version === before.version ? undefined : after.version);
  if (result.version !== undefined) states[result.version] = await rowsOf(table);
  expect(await restoreTable(table, { version: target.version })).toMatchObject({ version: undefined });
}

describe("restore", () => {
  it("gives the rows and columns of any version, and every version stays as it was", async () => {
    await fc.assert(
      fc.asyncProperty(
        layouts,
        histories,
        fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
        async (layout, history, picks) => {
          const table = await makeTable(newTable(), layout);
          for (const change of history) await applyChange(table, change);
          const states: string[][] = [];
          const { version: last } = await table.existingSnapshot();
          for (let version = 0; version <= last; version++) states.push(await rowsOf(table, version));
          for (const pick of picks) await restoreOne(table, pick, states);
          for (const [version, rows] of states.entries()) expect(await rowsOf(table, version)).toEqual(rows);
          // What was restored can be written to.
          await appendRows(table, row(77));
          expect(await rowsOf(table)).toHaveLength((states.at(-1)?.length ?? 0) + 1);
        },
      ),
      { numRuns: Number(process.env.INGOT_RUNS ?? 12) },
    );
  });

  it("takes properties back, but not the protocol, nor what applications recorded", async () => {
    const table = await makeTable(newTable());
    const { protocol: first } = await table.existingSnapshot();
    await appendRows(table, row(1), { transaction: { appId: "feed", version: 7 } });
    await alterTable(
      table,
      { setProperties: { "delta.enableDeletionVectors": "true" } },
      { describe: "later" },
    );
    const { protocol, metadata } = await table.existingSnapshot();
    const result = await restoreTable(table, { version: 0 });
    expect(result).toMatchObject({
      restored: 0,
      version: 3,
      removedFiles: 1,
      changes: ["metadata"],
      missing: [],
    });
    const after = await table.existingSnapshot();
    expect(after.protocol).toEqual(protocol);
    expect(after.protocol).not.toEqual(first);
    expect(after.metadata.id).toBe(metadata.id);
    expect(after.metadata.configuration).toEqual({});
    expect(after.metadata.description).toBeUndefined();
    expect(after.transactions.get("feed")?.version).toBe(7);
    const [entry] = await table.history(1);
    expect(entry).toMatchObject({
      operation: "RESTORE",
      operationParameters: { version: "0" },
      operationMetrics: { numRestoredFiles: "0", numRemovedFiles: "1", numOfFilesAfterRestore: "0" },
    });
  });

  it("goes back to an instant, keeps time in commits, and shows in the feed", async () => {
    // Commits state times after those that the files of earlier ones have.
    let now = Date.now() + HOUR;
    const table = new DeltaTable(new MemoryStore(), duckdb, { now: () => now });
    await makeTable(table, { feed: true });
    await alterTable(table, { setProperties: { "delta.enableInCommitTimestamps": "true" } });
    for (const k of [1, 2, 3]) {
      now += HOUR;
      await appendRows(table, row(k));
    }
    const point = { timestamp: new Date(now - HOUR / 2) };
    expect(await restoreTable(table, point)).toMatchObject({ restored: 3, version: 5, removedFiles: 1 });
    expect(await rowsOf(table)).toHaveLength(2);
    const feed = await duckdb.rows(await changeFeedSql(table, 5, 5));
    expect(feed).toMatchObject([{ k: 3, _change_type: "delete" }]);
    await restoreTable(table, { version: 0 });
    const { metadata, timestamp } = await table.existingSnapshot();
    expect(metadata.configuration["delta.enableInCommitTimestamps"]).toBe("true");
    expect(timestamp).toBeGreaterThan(now);
    await expect(restoreTable(table, { version: 99 })).rejects.toMatchObject({
      code: "DELTA_NO_SUCH_VERSION",
    });
  });

  it("refuses what was vacuumed, naming it, and goes back without it when told", async () => {
    let now = Date.now();
    const store = new LocalStore(`${folder.path}/${crypto.randomUUID()}`);
    const table = new DeltaTable(store, duckdb, { now: () => now });
    await makeTable(table, { vectors: true });
    await appendRows(table, `${row(1)} UNION ALL ${row(2)}`);
    const [first] = (await table.existingSnapshot()).files.values();
    await deleteRows(table, "k = 1");
    await overwriteRows(table, row(3));
    await appendRows(table, row(4));
    const kept = (await table.existingSnapshot()).version;
    await overwriteRows(table, row(5));
    const tombstones = [...(await table.existingSnapshot()).tombstones.values()];
    const vector = tombstones.find((file) => file.deletionVector)?.deletionVector;
    expect(vector).toBeDefined();
    await store.delete(first?.path ?? "");
    const gone = restoreTable(table, { version: 2 });
    await expect(gone).rejects.toMatchObject({ code: "DELTA_FILES_VACUUMED", value: first?.path });
    const planned = await restoreTable(table, { version: 2 }, { dryRun: true });
    expect(planned).toMatchObject({
      version: undefined,
      missing: [first?.path],
      addedFiles: 0,
      removedFiles: 1,
    });
    expect(await restoreTable(table, { version: kept })).toMatchObject({ addedFiles: 2, missing: [] });
    expect(await restoreTable(table, { version: 2 }, { ignoreMissing: true })).toMatchObject({
      addedFiles: 0,
    });
    expect(await rowsOf(table)).toEqual([]);
    now += 1000 * HOUR;
    await vacuumTable(table);
    await expect(restoreTable(table, { version: kept })).rejects.toMatchObject({
      code: "DELTA_FILES_VACUUMED",
    });
  });

  it("undoes an append that lands meanwhile", async () => {
    const store = new MemoryStore();
    const table = await makeTable(new DeltaTable(store, duckdb));
    await appendRows(table, row(1));
    await appendRows(table, row(2));
    const before = async () => void (await appendRows(new DeltaTable(store, duckdb), row(3)));
    const result = await restoreTable(new DeltaTable(faultyStore(store, [{ before }]), duckdb), {
      version: 1,
    });
    expect(result).toMatchObject({ removedFiles: 2, version: 4 });
    expect(await rowsOf(table)).toEqual(await rowsOf(table, 1));
  });

  it("is refused by a table that only grows", async () => {
    const table = await makeTable(newTable());
    await alterTable(table, { setProperties: { "delta.appendOnly": "true" } });
    await appendRows(table, row(1));
    await expect(restoreTable(table, { version: 1 })).rejects.toMatchObject({ code: "DELTA_APPEND_ONLY" });
  });
});
