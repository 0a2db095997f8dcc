/** Times of versions: those of the files, or those that the commits state. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { writeCheckpoint } from "../../../lakehouse/delta/checkpoint/write.ts";
import { loadSnapshot, refreshSnapshot } from "../../../lakehouse/delta/load.ts";
import { readHistory } from "../../../lakehouse/delta/log/history.ts";
import { versionAt } from "../../../lakehouse/delta/log/time-travel.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { MemoryStore } from "../../../lakehouse/store/memory.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { DatedStore, putCommit, rawAdd, rawTable } from "../../support/raw-log.ts";
import { writeRows } from "../../support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** A table whose version n was written at `times[n]`; from version `stated` on commits state that time. */
async function tableOf(times: readonly number[], stated = times.length): Promise<DatedStore> {
  const store = new DatedStore();
  store.timeOf = (version) => (version < stated ? (times[version] ?? 0) : 0);
  for (const [version, time] of times.entries()) {
    const properties = version >= stated ? { "delta.enableInCommitTimestamps": "true" } : {};
    const info = {
      timestamp: 99,
      operation: `O${version}`,
      ...(version >= stated ? { inCommitTimestamp: time } : {}),
    };
    const table = version === 0 || version === stated ? rawTable(properties) : [];
    await putCommit(store, version, [{ commitInfo: info }, ...table, rawAdd(`f${version}`)]);
  }
  return store;
}

describe("versionAt", () => {
  it("is the last version at or before the instant", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 12 }),
        fc.nat(12),
        async (gaps, stated) => {
          let time = 0;
          const times = gaps.map((gap) => (time += gap));
          const store = await tableOf(times, stated);
          const [first, last] = [times[0] ?? 0, times.at(-1) ?? 0];
          for (let millis = first - 1; millis <= last + 1; millis++) {
            const found = await versionAt(store, millis).catch((error: { code: string }) => error.code);
            const expected = times.findLastIndex((t) => t <= millis);
            expect(found).toBe(millis < first || millis > last ? "DELTA_NO_SUCH_TIME" : expected);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  it("takes files that went back in time for a millisecond later each", async () => {
    const store = await tableOf([100, 50, 50, 200, 150]);
    const found = await Promise.all([100, 101, 102, 150, 200, 201].map((t) => versionAt(store, t)));
    expect(found).toEqual([0, 1, 2, 2, 3, 4]);
    await expect(versionAt(store, 202)).rejects.toMatchObject({
      allowed: "1970-01-01T00:00:00.100Z (version 0) to 1970-01-01T00:00:00.201Z (version 4)",
    });
  });

  it("says so where there is no table", async () => {
    await expect(versionAt(new MemoryStore(), 1)).rejects.toMatchObject({ code: "DELTA_NO_TABLE" });
  });
});

it("a snapshot has the time of its commit's file, or the one its commit states", async () => {
  const store = await tableOf([100, 200, 300, 400], 2);
  const timeOf = async (version: number) => (await loadSnapshot(store, duckdb, version))?.timestamp;
  expect([await timeOf(1), await timeOf(2), await timeOf(3)]).toEqual([200, 300, 400]);
  const first = await loadSnapshot(store, duckdb, 0);
  expect(first && (await refreshSnapshot(store, duckdb, first)).timestamp).toBe(400);
});

it("the time that a commit states is found beside a checkpoint", async () => {
  const table = new DeltaTable(new MemoryStore(), duckdb);
  for (const [version, actions] of [
    [...rawTable({ "delta.enableInCommitTimestamps": "true" })],
    [],
  ].entries()) {
    const commitInfo = { timestamp: 1, inCommitTimestamp: 1000 + version };
    await putCommit(table.store, version, [{ commitInfo }, ...actions]);
  }
  await writeCheckpoint(table.store, duckdb, await table.existingSnapshot(), 0);
  await table.store.delete(`_delta_log/${"0".repeat(20)}.json`);
  expect((await loadSnapshot(table.store, duckdb))?.timestamp).toBe(1001);
});

it("history gives the newest commits with their times and counts", async () => {
  const store = await tableOf([100, 50, 300, 400], 2);
  expect(await readHistory(store, 3)).toMatchObject([
    { version: 3, committedAt: 400, commitInfo: { operation: "O3" }, addedFiles: 1, removedFiles: 0 },
    { version: 2, committedAt: 300 },
    { version: 1, committedAt: 101 },
  ]);
});

it("a table travels to an instant on disk", async () => {
  const table = new DeltaTable(new LocalStore(`${folder.path}/t`), duckdb);
  for (let i = 0; i < 3; i++) await writeRows(duckdb, table, `SELECT ${i} AS id, 'x' AS name, 1 AS price`);
  const { timestamp } = await table.existingSnapshot(2);
  expect(await versionAt(table.store, timestamp ?? 0)).toBe(2);
});
