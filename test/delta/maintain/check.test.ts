import { describe, expect, it } from "vitest";
import type { AddFile } from "../../../lakehouse/delta/actions.ts";
import { alterTable } from "../../../lakehouse/delta/alter.ts";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { overwriteRows } from "../../../lakehouse/delta/change/overwrite.ts";
import { writeCheckpoint } from "../../../lakehouse/delta/checkpoint/write.ts";
import { checkpointPath, commitPath, LAST_CHECKPOINT } from "../../../lakehouse/delta/log.ts";
import { type CheckOptions, checkTable } from "../../../lakehouse/delta/maintain/check.ts";
import { storedPath, storedVectorPath } from "../../../lakehouse/delta/maintain/stored-path.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { makeTable, row } from "./setup.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** A table with partitions, vectors, and a checkpoint at version 2 of 4. */
async function healthy(): Promise<DeltaTable> {
  const store = new LocalStore(`${folder.path}/${crypto.randomUUID()}`);
  const table = await makeTable(new DeltaTable(store, duckdb), { partitioned: true, vectors: true });
  await appendRows(table, [row(1), row(2), row(3, "b c")].join(" UNION ALL "));
  await appendRows(table, row(4));
  await writeCheckpoint(store, duckdb, await table.existingSnapshot(), Date.now());
  await deleteRows(table, "k = 1");
  await appendRows(table, row(5));
  return table;
}

/** Codes of what a fresh look at the table finds. */
async function found({ store }: DeltaTable, options?: CheckOptions): Promise<string[]> {
  const { findings, isSound } = await checkTable(new DeltaTable(store, duckdb), options);
  expect(isSound).toBe(findings.every((f) => f.severity === "info"));
  for (const finding of findings) expect(finding.message).not.toBe("");
  return findings.map((f) => f.code);
}

/** Names a live file otherwise than it is. */
async function restate(table: DeltaTable, change: (file: AddFile) => AddFile): Promise<void> {
  const base = await table.existingSnapshot();
  const [file] = [...base.files.values()].filter((f) => f.deletionVector === undefined);
  if (file === undefined) throw new Error("no file is left");
  const removed = { path: file.path, dataChange: false, deletionTimestamp: Date.now() };
  const actions = [{ remove: removed }, { add: { ...change(file), dataChange: false } }];
  await table.commit({ base, operation: "TEST", actions, reads: "table" });
}

const textOf = async ({ store }: DeltaTable, path: string) =>
  Buffer.from((await store.get(path)) ?? "").toString();

describe("check", () => {
  it("finds nothing in a sound table, and says what it holds", async () => {
    const table = await healthy();
    expect(await checkTable(table, { deep: true })).toMatchObject({
      version: 4,
      files: 4,
      rows: 4,
      findings: [],
      isSound: true,
    });
    const none = new DeltaTable(new LocalStore(`${folder.path}/none`), duckdb);
    await expect(checkTable(none)).rejects.toMatchObject({ code: "DELTA_NO_TABLE" });
  });

  it("counts what a vacuum would take", async () => {
    const table = await healthy();
    await alterTable(table, { setProperties: { "delta.deletedFileRetentionDuration": "interval 0 days" } });
    await overwriteRows(table, row(9));
    const later = new DeltaTable(table.store, duckdb, { now: () => Date.now() + 60_000 });
    const { findings, isSound } = await checkTable(later);
    expect(findings).toMatchObject([{ severity: "info", code: "orphans" }]);
    expect(findings[0]?.message).toMatch(/^5 files of \d+ bytes/);
    expect(isSound).toBe(true);
  });

  it("misses data files and vectors, and sees other sizes and bytes", async () => {
    const table = await healthy();
    const [first, second, third] = [...(await table.existingSnapshot()).files.values()].sort(
      (a, b) => Number(a.deletionVector !== undefined) - Number(b.deletionVector !== undefined),
    );
    if (first === undefined || second === undefined || third === undefined)
      throw new Error("three files are needed");
    await table.store.delete(storedPath(table.store, first.path) ?? "");
    expect(await found(table)).toEqual(["file-missing"]);
    await table.store.put(storedPath(table.store, second.path) ?? "", Buffer.from("short"));
    expect(await found(table)).toEqual(["file-missing", "file-resized", "file-unreadable"]);
    const marked = [...(await table.existingSnapshot()).files.values()].find(
      (f) => f.deletionVector,
    )?.deletionVector;
    const path = (marked && storedVectorPath(table.store, marked)) ?? "";
    const bytes = Buffer.from((await table.store.get(path)) ?? "");
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    await table.store.put(path, bytes);
    expect(await found(table)).toContain("vector-unreadable");
    await table.store.delete(path);
    expect(await found(table)).toContain("vector-unreadable");
    expect(await found(table, { deep: true })).toContain("rows-unreadable");
  });

  it("sees gaps in the log, and whether a checkpoint bridges them", async () => {
    const bridged = await healthy();
    await bridged.store.delete(commitPath(1));
    const { findings } = await checkTable(new DeltaTable(bridged.store, duckdb));
    expect(findings).toMatchObject([{ severity: "warning", code: "log-gap", value: "version 1" }]);
    const open = await healthy();
    await open.store.delete(commitPath(3));
    const report = await checkTable(new DeltaTable(open.store, duckdb));
    expect(report.findings.map((f) => `${f.severity} ${f.code}`)).toContain("error log-gap");
    expect(report.isSound).toBe(false);
  });

  it("reads checkpoints, and compares them with the commits", async () => {
    const damaged = await healthy();
    await damaged.store.put(checkpointPath(2), Buffer.from("PAR1 nothing"));
    expect(await found(damaged)).toContain("checkpoint-unreadable");
    const lying = await healthy();
    const snapshot = await lying.existingSnapshot(2);
    const [lost] = snapshot.files.keys();
    const files = new Map([...snapshot.files].filter(([path]) => path !== lost));
    await writeCheckpoint(lying.store, duckdb, { ...snapshot, files }, Date.now());
    const { findings } = await checkTable(new DeltaTable(lying.store, duckdb));
    expect(findings).toMatchObject([
      { code: "checkpoint-disagrees", value: expect.stringContaining(lost ?? "") },
    ]);
    const partial = await healthy();
    await partial.store.put(
      "_delta_log/00000000000000000003.checkpoint.0000000001.0000000002.parquet",
      Buffer.from("x"),
    );
    expect(await found(partial)).toEqual(["checkpoint-incomplete"]);
  });

  it.each([
    ["broken", "{"],
    ["of no checkpoint", '{"version":3,"size":1}'],
  ])("sees a hint that is %s", async (_name, hint) => {
    const table = await healthy();
    await table.store.put(LAST_CHECKPOINT, Buffer.from(hint));
    expect(await found(table)).toEqual(["hint-wrong"]);
  });

  it("compares checksum files", async () => {
    const table = await healthy();
    const path = commitPath(4).replace(/json$/, "crc");
    const size = [...(await table.existingSnapshot()).files.values()].reduce(
      (sum, file) => sum + file.size,
      0,
    );
    await table.store.put(path, Buffer.from(JSON.stringify({ tableSizeBytes: size, numFiles: 4 })));
    expect(await found(table)).toEqual([]);
    await table.store.put(path, Buffer.from(JSON.stringify({ tableSizeBytes: size, numFiles: 5 })));
    expect(await found(table)).toEqual(["checksum-disagrees"]);
    await table.store.put(path, Buffer.from("no"));
    expect(await found(table)).toEqual(["checksum-unreadable"]);
  });

  it.each<[string, (stats: string) => string, RegExp]>([
    ["rows", (s) => s.replace(/"numRecords":\d+/, '"numRecords":7'), /holds 1 rows, not 7/],
    [
      "a minimum",
      (s) => s.replace(/("minValues":\{"k":)\d+/, "$1100").replace(/("maxValues":\{"k":)\d+/, "$1101"),
      /bounds of k/,
    ],
    ["nulls", (s) => s.replace(/("nullCount":\{"k":)0/, "$11"), /nulls of k/],
  ])("finds statistics that lie about %s, when it reads the rows", async (_name, lie, value) => {
    const table = await healthy();
    await restate(table, (file) => ({ ...file, stats: lie(file.stats ?? "") }));
    expect(await found(table)).toEqual([]);
    const { findings } = await checkTable(table, { deep: true });
    expect(findings).toMatchObject([{ code: "statistics-wrong", value: expect.stringMatching(value) }]);
  });

  it("finds rows that break constraints, and constraints that it cannot know", async () => {
    const table = await healthy();
    const base = await table.existingSnapshot();
    const configuration = {
      ...base.metadata.configuration,
      "delta.constraints.small": "k < 5",
      "delta.constraints.known": "k IS NOT NULL",
    };
    const schemaString = base.metadata.schemaString.replace(/("name":"v"[^}]*"nullable":)true/, "$1false");
    const changed = { ...base.metadata, configuration, schemaString };
    await table.commit({ base, operation: "TEST", actions: [{ metaData: changed }], reads: "table" });
    const broken = (await checkTable(table, { deep: true })).findings;
    expect(broken).toMatchObject([
      { code: "constraint-broken", message: expect.stringMatching(": 1 break it"), value: "small" },
    ]);
    const foreign = {
      ...changed,
      configuration: { ...base.metadata.configuration, "delta.constraints.x": "spark_only(k)" },
    };
    const next = await table.existingSnapshot();
    await table.commit({ base: next, operation: "TEST", actions: [{ metaData: foreign }], reads: "table" });
    expect(await found(table, { deep: true })).toEqual(["constraint-unknown"]);
  });

  it("sees columns, partition values and features that do not fit", async () => {
    const typed = await healthy();
    const base = await typed.existingSnapshot();
    const schemaString = base.metadata.schemaString.replace(
      '"name":"s","type":"string"',
      '"name":"s","type":"double"',
    );
    await typed.commit({
      base,
      operation: "TEST",
      actions: [{ metaData: { ...base.metadata, schemaString } }],
      reads: "table",
    });
    expect(await found(typed)).toEqual(["columns-differ"]);
    const placed = await healthy();
    await restate(placed, ({ path, size, modificationTime, dataChange }) => ({
      path,
      size,
      modificationTime,
      dataChange,
      partitionValues: {},
    }));
    expect(await found(placed)).toEqual(["partition-value"]);
    const future = await healthy();
    const log = await textOf(future, commitPath(4));
    const protocol = {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ["deletionVectors"],
      writerFeatures: ["deletionVectors", "fromTheFuture"],
    };
    await future.store.put(commitPath(4), Buffer.from(`${log}${JSON.stringify({ protocol })}\n`));
    expect(await found(future)).toEqual(["protocol-read-only"]);
    await future.store.put(
      commitPath(4),
      Buffer.from(
        `${log}${JSON.stringify({ protocol: { ...protocol, readerFeatures: ["fromTheFuture"] } })}\n`,
      ),
    );
    expect(await found(future)).toContain("table-unreadable");
  });
});
