/** Checkpoints that are written: what they keep, what they let go, and that other engines read them. */
import { realpathSync } from "node:fs";
import { query } from "chdb";
import { describe, expect, it } from "vitest";
import type { Action } from "../../../lakehouse/delta/actions.ts";
import { checkpointDue } from "../../../lakehouse/delta/checkpoint/cadence.ts";
import { writeCheckpoint } from "../../../lakehouse/delta/checkpoint/write.ts";
import { loadSnapshot } from "../../../lakehouse/delta/load.ts";
import { readLastCheckpoint } from "../../../lakehouse/delta/log/last-checkpoint.ts";
import { checkpointPath, commitPath } from "../../../lakehouse/delta/log.ts";
import { parseInterval, retentionOf } from "../../../lakehouse/delta/retention.ts";
import { field, type StructType } from "../../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { MemoryStore } from "../../../lakehouse/store/memory.ts";
import type { ObjectStore } from "../../../lakehouse/store/store.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { putCommit, rawAdd, rawRemove, rawTable } from "../../support/raw-log.ts";
import { readRows, writeRows } from "../../support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** The state of a table of one commit, as it is and through its checkpoint alone. */
async function throughCheckpoint(
  actions: readonly Action[],
  now = 0,
  store: ObjectStore = new MemoryStore(),
) {
  await putCommit(store, 0, actions);
  const before = await loadSnapshot(store, duckdb);
  if (before === undefined) throw new Error("no table");
  await writeCheckpoint(store, duckdb, before, now);
  await store.delete(commitPath(0));
  const after = await loadSnapshot(store, duckdb);
  if (after === undefined) throw new Error("no table left");
  return { before, after, store };
}

it("keeps deletion vectors, tags, row tracking, text of any kind and the largest numbers", async () => {
  const deletionVector = {
    storageType: "u" as const,
    pathOrInlineDv: "ab^-aqEH.-t@S}K{vb[*k^",
    offset: 4,
    sizeInBytes: 40,
    cardinality: 6,
  };
  const stats = '{"numRecords":9007199254740993,"minValues":{"d":12345678901234567890.12}}';
  const { before, after } = await throughCheckpoint([
    ...rawTable({ "it's": 'quo"ted\n', empty: "" }),
    rawAdd("a'%20\\ü.parquet", {
      deletionVector,
      stats,
      tags: { t: "1", empty: "", none: null },
      partitionValues: { p: null, "q ü": "x" },
      baseRowId: 9007199254740991,
      defaultRowCommitVersion: 3,
      clusteringProvider: "liquid",
    }),
    rawAdd("plain"),
    rawRemove("gone", {
      deletionVector,
      deletionTimestamp: 5,
      partitionValues: { p: null },
      size: 7,
      baseRowId: 1,
    }),
    { txn: { appId: "é'", version: 9007199254740991 } },
    { domainMetadata: { domain: "d", configuration: '{"x":"\\u0000"}', removed: false } },
  ]);
  expect(after.files).toEqual(before.files);
  expect(after.tombstones).toEqual(before.tombstones);
  expect(after.transactions).toEqual(before.transactions);
  expect(after.domains).toEqual(before.domains);
  expect(after.metadata).toEqual(before.metadata);
  expect(after.protocol).toEqual(before.protocol);
});

it("lets expired tombstones and transactions go, after what the table says", async () => {
  const [hour, day] = [3_600_000, 86_400_000];
  const { after } = await throughCheckpoint(
    [
      ...rawTable({
        "delta.deletedFileRetentionDuration": "interval 2 days",
        "delta.setTransactionRetentionDuration": "interval 36 hours",
      }),
      rawRemove("old", { deletionTimestamp: 8 * day }),
      rawRemove("young", { deletionTimestamp: 8 * day + 1 }),
      { txn: { appId: "old", version: 1, lastUpdated: 10 * day - 36 * hour } },
      { txn: { appId: "young", version: 1, lastUpdated: 9 * day } },
      { txn: { appId: "undated", version: 1 } },
    ],
    10 * day,
  );
  expect([...after.tombstones.values()].map(({ path }) => path)).toEqual(["young"]);
  expect([...after.transactions.keys()].sort()).toEqual(["undated", "young"]);
});

it("moves the hint only forward", async () => {
  const store = new MemoryStore();
  await putCommit(store, 0, rawTable());
  await putCommit(store, 1, [rawAdd("f")]);
  const [first, second] = [await loadSnapshot(store, duckdb, 0), await loadSnapshot(store, duckdb, 1)];
  for (const snapshot of [second, first]) if (snapshot) await writeCheckpoint(store, duckdb, snapshot, 0);
  expect(await readLastCheckpoint(store)).toMatchObject({ version: 1, size: 3, numOfAddFiles: 1 });
});

it.each(["classic", "v2"])("of %s, written by several at once, is one that can be read", async (policy) => {
  const store = new LocalStore(`${folder.path}/racing-${policy}`);
  await putCommit(store, 0, [...rawTable({ "delta.checkpointPolicy": policy }), rawAdd("f")]);
  const snapshot = await loadSnapshot(store, duckdb);
  if (snapshot) await Promise.all([1, 2, 3].map(() => writeCheckpoint(store, duckdb, snapshot, 0)));
  await store.delete(commitPath(0));
  expect((await loadSnapshot(store, duckdb))?.files).toEqual(snapshot?.files);
  expect((await store.list("_delta_log/0")).length).toBe(policy === "v2" ? 3 : 1);
  expect(await store.list("_staging")).toEqual([]);
});

it("nothing is visible of a checkpoint that could not be written", async () => {
  class Full extends MemoryStore {
    override async putFile(): Promise<void> {
      throw new Error("disk full");
    }
  }
  const store = new Full();
  await putCommit(store, 0, rawTable());
  const snapshot = await loadSnapshot(store, duckdb);
  await expect(snapshot && writeCheckpoint(store, duckdb, snapshot, 0)).rejects.toThrow("disk full");
  expect((await store.list("")).map(({ path }) => path)).toEqual([commitPath(0)]);
});

const schema: StructType = {
  type: "struct",
  fields: [
    field("id", "long"),
    field("name", "string"),
    field("price", "decimal(12,2)"),
    field("big", "decimal(38,2)"),
    field("at", "timestamp"),
    field("day", "date"),
  ],
};
const rowSql = (id: number) =>
  `SELECT ${id} AS id, 'ü"${id}' AS name, ${id}.25 AS price, 12345678901234567890.12 AS big, TIMESTAMPTZ '2026-02-28 12:00:00.123456+00' AS at, DATE '2026-02-28' AS day`;

/** A table with these properties, whose commits are all behind a checkpoint. */
async function checkpointed(name: string, properties: Readonly<Record<string, string>>): Promise<DeltaTable> {
  const store = new LocalStore(`${folder.path}/${name}`);
  const table = new DeltaTable(store, duckdb, { checkpointInterval: 1000 });
  for (let i = 0; i < 3; i++) await writeRows(duckdb, table, rowSql(i), { schema });
  const { metadata, files } = await table.existingSnapshot();
  const configuration = { ...metadata.configuration, ...properties };
  const features = {
    readerFeatures: ["v2Checkpoint"],
    writerFeatures: ["appendOnly", "invariants", "v2Checkpoint"],
  };
  await putCommit(store, 3, [
    { protocol: { minReaderVersion: 3, minWriterVersion: 7, ...features } },
    { metaData: { ...metadata, configuration } },
  ]);
  await writeCheckpoint(store, duckdb, await table.existingSnapshot(), Date.now());
  for (let version = 0; version < 3; version++) await store.delete(commitPath(version));
  expect(files.size).toBe(3);
  return new DeltaTable(store, duckdb);
}

/** Rows as delta-kernel-rs reads them, inside ClickHouse, which reads only below its working directory. */
function kernelIds(path: string, where = "1"): string[] {
  process.chdir(realpathSync(folder.path));
  return query(`SELECT id FROM deltaLakeLocal('${path}') WHERE ${where} ORDER BY id`, "TabSeparated")
    .trim()
    .split("\n");
}

describe.each([
  ["classic", {}],
  ["v2", { "delta.checkpointPolicy": "v2" }],
  ["struct", { "delta.checkpoint.writeStatsAsStruct": "true", "delta.checkpoint.writeStatsAsJson": "false" }],
  ["both", { "delta.checkpoint.writeStatsAsStruct": "true", "delta.checkpointPolicy": "v2" }],
])("%s checkpoints", (name, properties: Record<string, string>) => {
  it("are read by this and by delta-kernel-rs", async () => {
    const table = await checkpointed(name, properties);
    const snapshot = await table.existingSnapshot();
    expect((await readRows(duckdb, table)).map((row) => row.id)).toEqual([0n, 1n, 2n]);
    expect(kernelIds(`${folder.path}/${name}`)).toEqual(["0", "1", "2"]);
    expect(kernelIds(`${folder.path}/${name}`, "id = 2 AND price > 2")).toEqual(["2"]);
    const names = (await table.store.list("_delta_log/0")).map(({ path }) => path);
    expect(names.includes(checkpointPath(3))).toBe(properties["delta.checkpointPolicy"] === undefined);
    const stats = [...snapshot.files.values()].map((file) => JSON.parse(file.stats ?? "{}"));
    for (const { numRecords, minValues, maxValues, nullCount } of stats) {
      expect(numRecords).toBe(1);
      expect(minValues).toMatchObject({
        name: `ü"${minValues.id}`,
        price: minValues.id + 0.25,
        day: "2026-02-28",
      });
      expect(maxValues.at).toMatch(/^2026-02-28T12:00:00\.123(000)?Z$/);
      expect(nullCount).toMatchObject({ id: 0, big: 0 });
    }
  });
});

it.each([
  [0, undefined, 10, {}, false],
  [9, undefined, 10, {}, false],
  [10, undefined, 10, {}, true],
  [19, 10, 10, {}, false],
  [20, 10, 10, {}, true],
  [59, 10, 5000, {}, false],
  [60, 10, 5000, {}, true],
  [13, 10, 5000, { "delta.checkpointInterval": "3" }, true],
  [12, 10, 5, { "delta.checkpointInterval": "3" }, false],
  [20, 10, 5, { "delta.checkpointInterval": "never" }, true],
])("at version %i, after %s, with %i files: %j → %s", (version, last, size, configuration, due) => {
  const metadata = { configuration } as unknown as Snapshot["metadata"];
  expect(checkpointDue({ version, metadata, files: { size } as Snapshot["files"] }, last)).toBe(due);
});

it.each([
  ["interval 1 week", 604_800_000],
  ["INTERVAL 168 HOURS", 604_800_000],
  ["7 days", 604_800_000],
  ["interval 1 day 12 hours", 129_600_000],
  ["interval 0 seconds", 0],
  ["interval 1 month", 2_678_400_000],
  ["a week", undefined],
  ["interval", undefined],
  ["interval 5", undefined],
  ["", undefined],
])("%j is %s ms", (text, millis) => {
  expect(parseInterval(text)).toBe(millis);
});

it("a retention that cannot be read is refused, not guessed", () => {
  expect(retentionOf({}, "delta.logRetentionDuration")).toBe(30 * 86_400_000);
  expect(() => retentionOf({ "delta.logRetentionDuration": "long" }, "delta.logRetentionDuration")).toThrow(
    expect.objectContaining({ code: "DELTA_BAD_PROPERTY", value: "long" }),
  );
});
