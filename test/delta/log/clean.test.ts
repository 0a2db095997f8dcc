/** Cleaning takes what has expired, and nothing that a version at or after the cut-off needs. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { serializeCommit } from "../../../lakehouse/delta/actions.ts";
import { writeCheckpoint } from "../../../lakehouse/delta/checkpoint/write.ts";
import { loadSnapshot } from "../../../lakehouse/delta/load.ts";
import { cleanLog } from "../../../lakehouse/delta/log/clean.ts";
import {
  checkpointPath,
  commitPath,
  compactionPath,
  SIDECAR_FOLDER,
  versionPrefix,
} from "../../../lakehouse/delta/log.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { DatedStore, putCommit, rawAdd, rawTable } from "../../support/raw-log.ts";

const duckdb = await useDuckDb();
const DAY = 24 * 3600 * 1000;
const UUID = "80a083e8-7026-4e79-81be-64bd76c43a11";

/** A table with one version a day, from the epoch on. */
async function dailyTable(
  days: number,
  checkpoints: readonly number[],
  properties = {},
): Promise<DatedStore> {
  const store = new DatedStore();
  store.timeOf = (version) => version * DAY + 1000;
  for (let v = 0; v < days; v++) {
    await putCommit(store, v, [...(v === 0 ? rawTable(properties) : []), rawAdd(`f${v}`)]);
    await store.put(`${versionPrefix(v)}.crc`, Buffer.from("{}"));
  }
  for (const version of checkpoints) {
    const snapshot = await loadSnapshot(store, duckdb, version);
    if (snapshot) await writeCheckpoint(store, duckdb, snapshot, 0);
  }
  return store;
}

async function clean(store: DatedStore, day: number, dryRun = false): Promise<string[]> {
  const snapshot = await loadSnapshot(store, duckdb);
  return snapshot ? cleanLog(store, duckdb, snapshot, day * DAY, { dryRun }) : [];
}

it("keeps the newest checkpoint at or before the cut-off with all that follows", async () => {
  const store = await dailyTable(50, [5, 15, 25, 40]);
  await store.put(compactionPath(11, 15), serializeCommit([]));
  await store.put(compactionPath(15, 16), serializeCommit([]));
  await store.put(compactionPath(30, 31), serializeCommit([rawAdd("f30"), rawAdd("f31")]));
  // Thirty days before day 50: version 19 is the newest at midnight of day 20.
  const expected = [
    ...Array.from({ length: 15 }, (_, v) => [commitPath(v), `${versionPrefix(v)}.crc`]).flat(),
    checkpointPath(5),
    compactionPath(11, 15),
    compactionPath(15, 16),
  ].sort();
  expect((await clean(store, 50, true)).sort()).toEqual(expected);
  expect(await store.get(commitPath(0))).toBeDefined();
  expect((await clean(store, 50)).sort()).toEqual(expected);
  expect(await store.get(commitPath(0))).toBeUndefined();
  for (let v = 15; v < 50; v++) expect((await loadSnapshot(store, duckdb, v))?.files.size).toBe(v + 1);
  expect(await clean(store, 50)).toEqual([]);
  await expect(loadSnapshot(store, duckdb, 14)).rejects.toMatchObject({
    code: "DELTA_NO_SUCH_VERSION",
    allowed: "15 to 49",
  });
});

it.each([
  ["no checkpoint is old enough", [25], {}],
  ["there is no checkpoint", [], {}],
  ["the table says so", [5], { "delta.enableExpiredLogCleanup": "false" }],
  ["the table keeps its log for longer", [5], { "delta.logRetentionDuration": "interval 7 weeks" }],
])("deletes nothing where %s", async (_why, checkpoints, properties) => {
  expect(await clean(await dailyTable(50, checkpoints, properties), 50)).toEqual([]);
});

it("does not begin the log with a damaged checkpoint", async () => {
  const store = await dailyTable(50, [5, 15]);
  await store.put(checkpointPath(15), Buffer.from("PAR1"));
  expect(await clean(store, 50)).toHaveLength(10);
  expect((await loadSnapshot(store, duckdb, 7))?.files.size).toBe(8);
});

it("takes sidecars that no checkpoint names, once they are a day old", async () => {
  const store = await dailyTable(50, [15]);
  const state = (await store.get(checkpointPath(15))) ?? new Uint8Array();
  const sidecar = (path: string) => ({ sidecar: { path, sizeInBytes: 1, modificationTime: 1 } });
  for (const [version, name] of [
    [3, "gone.parquet"],
    [20, "kept.parquet"],
  ] as const) {
    await store.put(`${SIDECAR_FOLDER}${name}`, state);
    const actions = [{ checkpointMetadata: { version } }, ...rawTable(), sidecar(name)];
    await store.put(`${versionPrefix(version)}.checkpoint.${UUID}.json`, serializeCommit(actions));
  }
  await store.put(`${SIDECAR_FOLDER}orphan.parquet`, state);
  // Sidecars bear the time at which this runs: they are young in the one case, and old in the other.
  const today = Math.floor(Date.now() / DAY);
  store.timeOf = (version) => (today - 50 + version) * DAY;
  expect((await clean(store, today, true)).filter((path) => path.includes("_sidecars"))).toEqual([]);
  expect((await clean(store, today + 3)).filter((path) => path.includes("_sidecars"))).toEqual([
    `${SIDECAR_FOLDER}gone.parquet`,
    `${SIDECAR_FOLDER}orphan.parquet`,
  ]);
  expect(await loadSnapshot(store, duckdb, 20)).toBeDefined();
});

it("may be stopped at any deletion", async () => {
  for (let stopAfter = 0; stopAfter < 12; stopAfter += 3) {
    const store = await dailyTable(40, [4, 7]);
    let left = stopAfter;
    const remove = store.delete.bind(store);
    store.delete = (path) => (left-- > 0 ? remove(path) : Promise.reject(new Error("killed")));
    await expect(clean(store, 40)).rejects.toThrow("killed");
    for (const v of [7, 8, 39]) expect((await loadSnapshot(store, duckdb, v))?.files.size).toBe(v + 1);
    store.delete = remove;
    await clean(store, 40);
    expect((await store.list("_delta_log/0"))[0]?.path).toBe(checkpointPath(7));
  }
});

it("every version at or after the cut-off stays readable, whatever checkpoints there are", async () => {
  const days = fc.integer({ min: 1, max: 14 });
  await fc.assert(
    fc.asyncProperty(days, fc.uniqueArray(fc.nat(13), { maxLength: 4 }), fc.nat(12), async (n, all, keep) => {
      const checkpoints = all.filter((version) => version < n).sort((a, b) => a - b);
      const retention = { "delta.logRetentionDuration": `interval ${keep} days` };
      const store = await dailyTable(n, checkpoints, retention);
      const deleted = await clean(store, n);
      const cutOff = Math.max(0, n - keep - 1);
      const kept = checkpoints.findLast((version) => version <= cutOff) ?? 0;
      expect(deleted.filter((path) => /\d{20}\.json$/.test(path))).toHaveLength(kept);
      for (let v = kept; v < n; v++) expect((await loadSnapshot(store, duckdb, v))?.files.size).toBe(v + 1);
    }),
    { numRuns: 15 },
  );
});
