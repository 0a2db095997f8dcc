/** Alterations and properties that could leave a table unreadable, or let in rows that its rules forbid. */
import { describe, expect, it, test } from "vitest";
import type { Protocol } from "../../lakehouse/delta/actions.ts";
import { alterTable } from "../../lakehouse/delta/alter.ts";
import { appendRows } from "../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../lakehouse/delta/change/delete.ts";
import { mergeRows } from "../../lakehouse/delta/change/merge.ts";
import { overwriteRows } from "../../lakehouse/delta/change/overwrite.ts";
import { updateRows } from "../../lakehouse/delta/change/update.ts";
import { readCommit } from "../../lakehouse/delta/log.ts";
import { restoreTable } from "../../lakehouse/delta/maintain/restore.ts";
import { protocolWith } from "../../lakehouse/delta/protocol.ts";
import type { DataType } from "../../lakehouse/delta/schema.ts";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { readRows } from "../support/rows.ts";
import { struct, tablesIn } from "./change/setup.ts";

const duckdb = await useDuckDb();
const tableOf = tablesIn(useFolder(), duckdb);
const BROKEN = "DELTA_CONSTRAINT_BROKEN";

describe("the protocol", () => {
  const ntz = "TIMESTAMP '2020-01-01'";
  const on = "target.id = source.id";

  test.each<[string, (table: DeltaTable) => Promise<unknown>]>([
    ["ALTER", (table) => alterTable(table, { addColumn: { name: "at", type: "timestamp_ntz" } })],
    ["an append", (table) => appendRows(table, `SELECT 2 AS id, ${ntz} AS at`, { evolveSchema: true })],
    ["an overwrite", (table) => overwriteRows(table, `SELECT 2 AS id, ${ntz} AS at`, { evolveSchema: true })],
    [
      "a merge",
      (table) =>
        mergeRows(table, {
          source: `SELECT 2 AS id, [${ntz}] AS at`,
          on,
          notMatched: [{ insert: "all" }],
          evolveSchema: true,
        }),
    ],
  ])("knows the feature of a column without time zone that comes by %s", async (_by, change) => {
    const table = await tableOf({ id: "integer" }, "SELECT 1 AS id");
    await change(table);
    const { protocol } = await table.existingSnapshot();
    expect(protocol).toMatchObject({ minReaderVersion: 3, readerFeatures: ["timestampNtz"] });
    expect(protocol.writerFeatures).toContain("timestampNtz");
  });

  it("knows it in a table that a write makes", async () => {
    const schema = struct({ at: "timestamp_ntz" });
    const table = new DeltaTable((await tableOf({ id: "integer" })).store.within("below"), duckdb);
    const session = await duckdb.session();
    const staged = await table.stage(session, `SELECT ${ntz} AS at`, schema);
    await table.write({ operation: "WRITE", base: undefined, schema, staged, reads: "nothing" });
    await session.close();
    expect((await table.existingSnapshot()).protocol.readerFeatures).toEqual(["timestampNtz"]);
  });

  it("is never lowered", async () => {
    const table = await tableOf({ id: "integer" }, "SELECT 1 AS id");
    const base = await table.existingSnapshot();
    const high: Protocol = {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: [],
      writerFeatures: ["appendOnly", "domainMetadata", "invariants"],
    };
    await table.commit({ base, operation: "UPGRADE", actions: [{ protocol: high }], reads: "table" });
    await alterTable(table, { setProperties: { "delta.enableChangeDataFeed": "true" } });
    await appendRows(table, "SELECT 2 AS id, 'x' AS more", { evolveSchema: true });
    await updateRows(table, { id: "id + 1" });
    await deleteRows(table, "id = 2");
    await restoreTable(table, { version: 1 });
    await alterTable(table, { setProperties: { "delta.enableChangeDataFeed": "false" } });
    expect((await table.existingSnapshot()).protocol).toEqual({
      ...high,
      writerFeatures: ["appendOnly", "changeDataFeed", "domainMetadata", "invariants"],
    });
    expect(protocolWith(["timestampNtz"], high).readerFeatures).toEqual(["timestampNtz"]);
  });
});

describe("time in commits", () => {
  it("says from which version on it is kept, and since when; also where another commit came first", async () => {
    let now = 1_800_000_000_000;
    const table = await tableOf({ id: "integer" }, "SELECT 1 AS id", { engine: { now: () => ++now } });
    const stale = new DeltaTable(table.store, duckdb, { now: () => ++now });
    const base = await stale.existingSnapshot();
    await table.commit({ base, operation: "NOTE", actions: [], reads: "nothing" });
    const configuration = { "delta.enableInCommitTimestamps": "true" };
    const outcome = await stale.commit({
      base,
      operation: "SET TBLPROPERTIES",
      actions: [{ metaData: { ...base.metadata, configuration } }],
      reads: "nothing",
    });
    const features = (await table.existingSnapshot()).protocol.writerFeatures;
    expect([outcome, features]).toEqual([
      { status: "committed", version: 3 },
      expect.arrayContaining(["inCommitTimestamp"]),
    ]);
    const [first] = (await readCommit(table.store, 3)) ?? [];
    const time = first && "commitInfo" in first ? first.commitInfo.inCommitTimestamp : undefined;
    expect(time).toBeGreaterThan(1_800_000_000_000);
    expect((await table.existingSnapshot()).metadata.configuration).toEqual({
      ...configuration,
      "delta.inCommitTimestampEnablementVersion": "3",
      "delta.inCommitTimestampEnablementTimestamp": String(time),
    });
    // A table that keeps it from its first version on says nothing.
    const born = await tableOf({ id: "integer" }, "SELECT 1 AS id", { properties: configuration });
    expect((await born.existingSnapshot()).metadata.configuration).toEqual(configuration);
  });
});

describe("properties", () => {
  test.each([
    ["delta.checkpointInterval", "0"],
    ["delta.dataSkippingNumIndexedCols", "x"],
    ["delta.deletedFileRetentionDuration", "7d"],
    ["delta.deletedFileRetentionDuration", "interval -5 days"],
    ["delta.logRetentionDuration", "garbage"],
    ["delta.setTransactionRetentionDuration", ""],
    ["delta.targetFileSize", "banana"],
    ["delta.enableDeletionVectors", "yes"],
    ["delta.isolationLevel", "None"],
  ])("%s cannot be %j", async (key, value) => {
    const refused = { code: "DELTA_BAD_PROPERTY", value };
    await expect(
      tableOf({ id: "integer" }, undefined, { properties: { [key]: value } }),
    ).rejects.toMatchObject(refused);
    const table = await tableOf({ id: "integer" });
    await expect(alterTable(table, { setProperties: { [key]: value } })).rejects.toMatchObject(refused);
  });

  test.each([
    ["delta.columnMapping.maxColumnId", "0"],
    ["delta.columnMapping.maxColumnId", null],
    ["delta.inCommitTimestampEnablementVersion", "7"],
  ])("%s, which writers keep, cannot be set (to %j)", async (key, value) => {
    const table = await tableOf({ id: "integer" });
    const refused = { code: "DELTA_BAD_PROPERTY", value: key };
    await expect(alterTable(table, { setProperties: { [key]: value } })).rejects.toMatchObject(refused);
  });

  test.each(["id > 5", null])("a constraint cannot be set as one (to %j)", async (check) => {
    const table = await tableOf({ id: "integer" }, "SELECT 1 AS id");
    const setProperties = { "delta.constraints.c": check };
    await expect(alterTable(table, { setProperties })).rejects.toMatchObject({
      code: "DELTA_BAD_PROPERTY",
      value: "delta.constraints.c",
    });
  });
});

test.each<[DataType, string]>([
  ["date", "'infinity'::DATE"],
  ["timestamp", "'-infinity'::TIMESTAMPTZ"],
  ["timestamp_ntz", "'infinity'::TIMESTAMP"],
])("an infinite %s names no partition", async (type, value) => {
  const table = await tableOf({ p: type, id: "integer" }, undefined, { partitionBy: ["p"] });
  await expect(appendRows(table, `SELECT ${value} AS p, 1 AS id`)).rejects.toMatchObject({
    code: "DELTA_BAD_PARTITION",
    value: expect.stringMatching(/^-?infinity$/),
  });
  await appendRows(table, "SELECT NULL AS p, 2 AS id");
  await expect(updateRows(table, { p: value })).rejects.toMatchObject({ code: "DELTA_BAD_PARTITION" });
  expect(await readRows(duckdb, table)).toEqual([{ p: null, id: 2 }]);
});

describe("constraints", () => {
  it("are about the values as they are stored", async () => {
    const properties = { "delta.constraints.small": "x < 10", "delta.constraints.paid": "p > 0" };
    const columns = { x: "integer", p: "decimal(10,2)" };
    const table = await tableOf(columns, "SELECT 1 AS x, 1 AS p", { properties });
    const broken = (allowed: string) => ({ code: BROKEN, allowed });
    await expect(appendRows(table, "SELECT 9.7 AS x, 1 AS p")).rejects.toMatchObject(broken("small"));
    await expect(appendRows(table, "SELECT 1 AS x, 0.001 AS p")).rejects.toMatchObject(broken("paid"));
    await expect(updateRows(table, { x: "9.7" })).rejects.toMatchObject(broken("small"));
    const merge = mergeRows(table, {
      source: "SELECT 9.7 AS x, 0.001 AS p",
      on: "target.x = source.x",
      notMatched: [{ insert: "all" }],
    });
    await expect(merge).rejects.toMatchObject({ code: BROKEN });
    // And not about values that are stored otherwise.
    await appendRows(table, "SELECT '9' AS x, '0.006' AS p");
    expect(await readRows(duckdb, table)).toEqual([
      { x: 1, p: "1.00" },
      { x: 9, p: "0.01" },
    ]);
  });

  it("hold beside the condition of an overwrite, which holds for what is stored too", async () => {
    const table = await tableOf({ x: "integer", s: "string" }, "SELECT 1 AS x, 'a' AS s");
    await alterTable(table, { addConstraint: { name: "where", check: "x > 0" } });
    const overwrite = (sql: string, where: string) => overwriteRows(table, sql, { where });
    for (const [sql, where, allowed] of [
      ["SELECT 9.7 AS x, 'a' AS s", "x < 10", "x < 10"],
      ["SELECT -5 AS x, 'a' AS s", "s = 'a'", "where"],
      ["SELECT 5 AS x, 'b' AS s", "s = 'a'", "s = 'a'"],
      ["SELECT 5 AS x", "s = 'a'", "s = 'a'"],
    ] as const) {
      await expect(overwrite(sql, where)).rejects.toMatchObject({ code: BROKEN, allowed });
    }
    expect(await readRows(duckdb, table)).toEqual([{ x: 1, s: "a" }]);
    await overwrite("SELECT 5 AS x, 'a' AS s", "s = 'a'");
  });

  it("leave texts as they are, and may end in a comment", async () => {
    const table = await tableOf({ s: "string", _row: "integer" }, "SELECT 'a' AS s");
    await alterTable(table, { addConstraint: { name: "c", check: "s NOT IN ('==', '`') -- why" } });
    for (const text of ["==", "`"]) {
      const append = appendRows(table, `SELECT '${text}' AS s, 1 AS _row`);
      await expect(append).rejects.toMatchObject({
        code: BROKEN,
        value: JSON.stringify({ s: text, _row: 1 }),
      });
    }
    await appendRows(table, "SELECT '=' AS s");
  });

  test.each([
    "sum(x) > 0",
    "x > (SELECT 0)",
    "x IN (SELECT 1)",
    "EXISTS (FROM range(3))",
    "row_number() OVER () > 0",
    "len(list_filter([x], lambda y: y > (SELECT 0))) = 1",
  ])("are about one row: not %s", async (check) => {
    const table = await tableOf({ x: "integer" }, "SELECT 1 AS x");
    await expect(alterTable(table, { addConstraint: { name: "c", check } })).rejects.toMatchObject({
      code: "DELTA_BAD_CONSTRAINT",
      value: check,
    });
    const foreign = await tableOf({ x: "integer" }, undefined, {
      properties: { "delta.constraints.c": check },
    });
    await expect(appendRows(foreign, "SELECT 1 AS x")).rejects.toMatchObject({
      code: "DELTA_UNSUPPORTED_CONSTRAINT",
    });
  });
});

test("a table with a column of the change feed's own cannot have one", async () => {
  const table = await tableOf(
    { id: "integer", _change_type: "string" },
    "SELECT 1 AS id, 'x' AS _change_type",
  );
  const on = alterTable(table, { setProperties: { "delta.enableChangeDataFeed": "true" } });
  await expect(on).rejects.toMatchObject({ code: "DELTA_BAD_SCHEMA", value: "_change_type" });
});
