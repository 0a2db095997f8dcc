/** Which files of the log are read for a version, whatever lies beside them. */
import { describe, expect, it } from "vitest";
import { serializeCommit } from "../../../lakehouse/delta/actions.ts";
import { writeCheckpoint } from "../../../lakehouse/delta/checkpoint/write.ts";
import { loadSnapshot, refreshSnapshot } from "../../../lakehouse/delta/load.ts";
import { findSegment } from "../../../lakehouse/delta/log/segment.ts";
import {
  checkpointPath,
  commitPath,
  compactionPath,
  LAST_CHECKPOINT,
  uuidCheckpointPath,
  versionPrefix,
} from "../../../lakehouse/delta/log.ts";
import { MemoryStore } from "../../../lakehouse/store/memory.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { putCommit, rawAdd, rawTable } from "../../support/raw-log.ts";

const duckdb = await useDuckDb();
const UUID = "80a083e8-7026-4e79-81be-64bd76c43a11";
const bytes = (text: string) => Buffer.from(text);

/** A table where version n has n + 1 files. */
async function tableOf(versions: number, store = new MemoryStore()): Promise<MemoryStore> {
  for (let v = 0; v < versions; v++) {
    await putCommit(store, v, [...(v === 0 ? rawTable() : []), rawAdd(`f${v}`)]);
  }
  return store;
}

async function checkpointAt(store: MemoryStore, version: number): Promise<void> {
  const snapshot = await loadSnapshot(store, duckdb, version);
  if (snapshot) await writeCheckpoint(store, duckdb, snapshot, Date.now());
}

describe("checkpoints", () => {
  it("in parts count when all parts are there", async () => {
    const store = await tableOf(5);
    await checkpointAt(store, 2);
    const whole = (await store.get(checkpointPath(2))) ?? bytes("");
    await store.delete(checkpointPath(2));
    const part = (n: number) => `${versionPrefix(2)}.checkpoint.000000000${n}.0000000002.parquet`;
    await store.put(part(2), whole);
    expect(await findSegment(store)).not.toHaveProperty("checkpoint");
    await store.put(part(1), whole);
    expect(await findSegment(store)).toMatchObject({
      version: 4,
      checkpoint: { version: 2, candidates: [[part(1), part(2)]] },
      deltas: [commitPath(3), commitPath(4)],
    });
    expect((await loadSnapshot(store, duckdb))?.files.size).toBe(5);
  });

  it("of one version stand in for each other when one is damaged", async () => {
    const store = await tableOf(4);
    await checkpointAt(store, 3);
    await store.put(uuidCheckpointPath(3, UUID), bytes("no parquet"));
    await store.delete(commitPath(0));
    expect((await loadSnapshot(store, duckdb))?.files.size).toBe(4);
    await store.delete(checkpointPath(3));
    await expect(loadSnapshot(store, duckdb)).rejects.toMatchObject({ code: "DELTA_BAD_CHECKPOINT" });
  });

  it("that are damaged are passed over where something older leads to the version", async () => {
    const store = await tableOf(9);
    await checkpointAt(store, 2);
    await checkpointAt(store, 5);
    await checkpointAt(store, 7);
    for (const version of [5, 7]) await store.put(checkpointPath(version), bytes("PAR1"));
    expect((await loadSnapshot(store, duckdb))?.files.size).toBe(9);
    await store.delete(commitPath(0));
    expect((await loadSnapshot(store, duckdb))?.files.size).toBe(9);
    await store.delete(commitPath(4));
    await expect(loadSnapshot(store, duckdb)).rejects.toMatchObject({ code: "DELTA_BAD_CHECKPOINT" });
  });

  it("of V2 in JSON are read with their sidecars, and a sidecar that is gone is named", async () => {
    const store = await tableOf(3);
    await checkpointAt(store, 2);
    const sidecar = { path: "side.parquet", sizeInBytes: 1, modificationTime: 1 };
    await store.put(
      `${versionPrefix(2)}.checkpoint.${UUID}.json`,
      serializeCommit([{ checkpointMetadata: { version: 2 } }, ...rawTable(), { sidecar }]),
    );
    await store.put("_delta_log/_sidecars/side.parquet", (await store.get(checkpointPath(2))) ?? bytes(""));
    await store.delete(checkpointPath(2));
    await store.delete(commitPath(0));
    expect((await loadSnapshot(store, duckdb))?.files.size).toBe(3);
    await store.delete("_delta_log/_sidecars/side.parquet");
    await expect(loadSnapshot(store, duckdb)).rejects.toMatchObject({
      code: "DELTA_MISSING_FILE",
      value: "_delta_log/_sidecars/side.parquet",
    });
  });

  it("newer than the version asked for are not read", async () => {
    const store = await tableOf(8);
    await checkpointAt(store, 2);
    await checkpointAt(store, 6);
    expect(await findSegment(store, 4)).toMatchObject({ version: 4, checkpoint: { version: 2 } });
    expect((await loadSnapshot(store, duckdb, 4))?.files.size).toBe(5);
  });
});

it.each([
  ["is no JSON", "{"],
  ["is no hint", '{"version":"x"}'],
  ["is of a version to come", '{"version":99,"size":1}'],
  ["names a checkpoint that is gone", '{"version":3,"size":1}'],
  ["is of an older checkpoint", '{"version":2,"size":1,"parts":null}'],
])("a hint that %s does no harm", async (_what, hint) => {
  const store = await tableOf(6);
  await checkpointAt(store, 2);
  await checkpointAt(store, 4);
  await store.put(LAST_CHECKPOINT, bytes(hint));
  expect(await findSegment(store)).toMatchObject({ version: 5, checkpoint: { version: 4 } });
  // Checksums of versions are not needed, so damage to them is none to the table.
  await store.put(`${versionPrefix(5)}.crc`, bytes("{"));
  expect((await loadSnapshot(store, duckdb))?.files.size).toBe(6);
});

it("compactions replace commits as far as they shorten the way", async () => {
  const store = await tableOf(8);
  const compacted = [rawAdd("f2"), rawAdd("f3"), rawAdd("f4")];
  await store.put(compactionPath(2, 3), serializeCommit(compacted.slice(0, 2)));
  await store.put(compactionPath(2, 4), serializeCommit(compacted));
  await store.put(compactionPath(4, 6), serializeCommit([]));
  expect(await findSegment(store)).toMatchObject({
    deltas: [commitPath(0), commitPath(1), compactionPath(2, 4), ...[5, 6, 7].map(commitPath)],
  });
  expect((await findSegment(store, 3))?.deltas.at(-1)).toBe(compactionPath(2, 3));
  expect((await loadSnapshot(store, duckdb))?.files.size).toBe(8);
});

describe("versions that are not there", () => {
  it("after cleaning: says which are", async () => {
    const store = await tableOf(9);
    await checkpointAt(store, 3);
    await checkpointAt(store, 6);
    for (const version of [0, 1, 2, 4]) await store.delete(commitPath(version));
    for (const version of [2, 4, 5, 12]) {
      await expect(loadSnapshot(store, duckdb, version)).rejects.toMatchObject({
        code: version === 5 ? "DELTA_LOG_GAP" : "DELTA_NO_SUCH_VERSION",
        ...(version === 5 ? {} : { allowed: "3, 6 to 8" }),
      });
    }
    expect((await loadSnapshot(store, duckdb, 7))?.files.size).toBe(8);
  });

  it("in the middle: a gap", async () => {
    const store = await tableOf(6);
    await store.delete(commitPath(3));
    await expect(loadSnapshot(store, duckdb)).rejects.toMatchObject({ code: "DELTA_LOG_GAP", value: 3 });
    expect((await loadSnapshot(store, duckdb, 2))?.version).toBe(2);
  });

  it("at all: no table", async () => {
    expect(await loadSnapshot(new MemoryStore(), duckdb)).toBeUndefined();
    expect(await loadSnapshot(new MemoryStore(), duckdb, 3)).toBeUndefined();
  });
});

it("opens with one list and one get for each commit after the checkpoint", async () => {
  const calls: string[] = [];
  class Counting extends MemoryStore {
    override list(prefix: string, from?: string) {
      calls.push("list");
      return super.list(prefix, from);
    }
    override get(path: string) {
      calls.push("get");
      return super.get(path);
    }
  }
  const store = await tableOf(12, new Counting());
  await checkpointAt(store, 9);
  calls.length = 0;
  const snapshot = await loadSnapshot(store, duckdb);
  // The hint, the checkpoint, two commits.
  expect(calls.sort()).toEqual(["get", "get", "get", "get", "list"]);
  calls.length = 0;
  if (snapshot) await refreshSnapshot(store, duckdb, snapshot);
  expect(calls).toEqual(["get", "get"]);
});

it("a snapshot whose successors were cleaned away is loaded anew", async () => {
  const store = await tableOf(8);
  const held = await loadSnapshot(store, duckdb, 1);
  await checkpointAt(store, 6);
  for (let version = 0; version < 6; version++) await store.delete(commitPath(version));
  expect(held && (await refreshSnapshot(store, duckdb, held))).toMatchObject({ version: 7 });
});
