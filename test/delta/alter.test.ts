import { describe, expect, test } from "vitest";
import { alterTable } from "../../lakehouse/delta/alter.ts";
import { appendRows } from "../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../lakehouse/delta/change/delete.ts";
import { overwriteRows } from "../../lakehouse/delta/change/overwrite.ts";
import { updateRows } from "../../lakehouse/delta/change/update.ts";
import { createTable } from "../../lakehouse/delta/create.ts";
import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { readRows } from "../support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const SCHEMA: StructType = {
  type: "struct",
  fields: [field("id", "integer"), field("name", "string"), field("price", "decimal(5,2)")],
};
const MAPPED = { "delta.columnMapping.mode": "name" };

async function tableOf(properties: Record<string, string> = {}, schema = SCHEMA, partitionBy: string[] = []) {
  const table = new DeltaTable(new LocalStore(`${folder.path}/${crypto.randomUUID()}`), duckdb);
  await createTable(table, { schema, properties, partitionBy });
  await appendRows(table, "SELECT 1 AS id, 'a' AS name, 1.5 AS price");
  return table;
}

describe("columns", () => {
  test("a new one is NULL in the rows before it", async () => {
    const table = await tableOf();
    await alterTable(table, { addColumn: { name: "Note", type: "string", comment: "free text" } });
    await appendRows(table, "SELECT 2 AS id, 'n' AS note");
    expect(await readRows(duckdb, table)).toEqual([
      { id: 1, name: "a", price: "1.50", Note: null },
      { id: 2, name: null, price: null, Note: "n" },
    ]);
    await expect(alterTable(table, { addColumn: { name: "NOTE", type: "string" } })).rejects.toMatchObject({
      code: "DELTA_COLUMN_EXISTS",
    });
  });

  test.each(["none", "name"])("a wider type keeps the values (column mapping: %s)", async (mode) => {
    const table = await tableOf({ "delta.enableTypeWidening": "true", ...(mode === "name" ? MAPPED : {}) });
    await alterTable(
      table,
      { widenColumn: { name: "id", type: "long" } },
      { widenColumn: { name: "price", type: "decimal(12,4)" } },
    );
    await appendRows(table, "SELECT 9007199254740993 AS id, 12345678.1234 AS price");
    expect(await readRows(duckdb, table)).toEqual([
      { id: 1n, name: "a", price: "1.5000" },
      { id: 9_007_199_254_740_993n, name: null, price: "12345678.1234" },
    ]);
    const snapshot = await table.existingSnapshot();
    expect(snapshot.schema.fields[0]?.metadata["delta.typeChanges"]).toEqual([
      { fromType: "integer", toType: "long" },
    ]);
    expect(snapshot.protocol.readerFeatures).toContain("typeWidening");
    await expect(alterTable(table, { widenColumn: { name: "id", type: "integer" } })).rejects.toMatchObject({
      code: "DELTA_BAD_WIDENING",
    });
  });

  test("names change and columns go where files have names of their own", async () => {
    const table = await tableOf(MAPPED);
    await alterTable(table, { renameColumn: { from: "name", to: "title" } }, { dropColumn: "price" });
    await appendRows(table, "SELECT 2 AS id, 'b' AS title");
    await alterTable(table, { addColumn: { name: "price", type: "double" } });
    expect(await readRows(duckdb, table)).toEqual([
      { id: 1, title: "a", price: null },
      { id: 2, title: "b", price: null },
    ]);
    expect(await readRows(duckdb, table, 1)).toEqual([{ id: 1, name: "a", price: "1.50" }]);
    await updateRows(table, { price: "2.5" }, "title = 'b'");
    expect((await readRows(duckdb, table))[1]).toEqual({ id: 2, title: "b", price: 2.5 });
  });

  test("mapping may come later: files keep the names that they have", async () => {
    const table = await tableOf();
    await expect(alterTable(table, { dropColumn: "name" })).rejects.toMatchObject({
      code: "DELTA_NEEDS_PROPERTY",
    });
    await alterTable(table, { setProperties: MAPPED }, { renameColumn: { from: "id", to: "key" } });
    await appendRows(table, "SELECT 2 AS key");
    expect((await readRows(duckdb, table)).map((r) => r.key)).toEqual([1, 2]);
    await expect(
      alterTable(table, { setProperties: { "delta.columnMapping.mode": "id" } }),
    ).rejects.toMatchObject({ code: "DELTA_BAD_PROPERTY" });
  });

  test("nested members are mapped too", async () => {
    const inner = { type: "struct" as const, fields: [field("a b", "integer"), field("c", "string")] };
    const schema: StructType = {
      type: "struct",
      fields: [
        field("s", inner),
        field("l", { type: "array", elementType: inner, containsNull: true }),
        field("m", { type: "map", keyType: "string", valueType: inner, valueContainsNull: true }),
      ],
    };
    const table = new DeltaTable(new LocalStore(`${folder.path}/${crypto.randomUUID()}`), duckdb);
    await createTable(table, { schema, properties: MAPPED });
    await appendRows(
      table,
      `SELECT {'a b': 1, c: 'x'} AS s, [{'a b': 2, c: 'y'}, NULL] AS l, MAP {'k': {'a b': 3, c: 'z'}} AS m UNION ALL SELECT NULL, NULL, NULL`,
    );
    const rows = await readRows(duckdb, table);
    expect(rows).toContainEqual({
      s: { "a b": 1, c: "x" },
      l: [{ "a b": 2, c: "y" }, null],
      m: { k: { "a b": 3, c: "z" } },
    });
    expect(rows).toContainEqual({ s: null, l: null, m: null });
  });
});

describe("constraints", () => {
  test("hold for rows that are there, rows that come, rows that change", async () => {
    const table = await tableOf();
    await expect(
      alterTable(table, { addConstraint: { name: "cheap", check: "price < 1" } }),
    ).rejects.toMatchObject({ code: "DELTA_CONSTRAINT_BROKEN" });
    await alterTable(table, { addConstraint: { name: "cheap", check: "price < 10" } }, { setNotNull: "id" });
    const broken = { code: "DELTA_CONSTRAINT_BROKEN", allowed: "cheap" };
    await expect(appendRows(table, "SELECT 2 AS id, 10 AS price")).rejects.toMatchObject(broken);
    // As Delta has it, a constraint whose answer is unknown is broken.
    await expect(appendRows(table, "SELECT 2 AS id")).rejects.toMatchObject(broken);
    await expect(updateRows(table, { price: "price * 100" })).rejects.toMatchObject({
      ...broken,
      value: expect.stringContaining('"price":150'),
    });
    await expect(appendRows(table, "SELECT 1 AS price")).rejects.toMatchObject({ allowed: "id is not null" });
    await expect(alterTable(table, { setProperties: MAPPED }, { dropColumn: "price" })).rejects.toMatchObject(
      { code: "DELTA_COLUMN_IN_USE" },
    );
    await alterTable(table, { dropConstraint: "cheap" }, { dropNotNull: "id" });
    await appendRows(table, "SELECT 11 AS price");
    await expect(alterTable(table, { dropConstraint: "cheap" })).rejects.toMatchObject({
      code: "DELTA_BAD_CONSTRAINT",
    });
  });

  test("a constraint in a dialect that DuckDB does not know stops writers, not readers", async () => {
    const table = await tableOf();
    const base = await table.existingSnapshot();
    const configuration = { "delta.constraints.odd": "spark_only(id) > 1" };
    await table.commit({
      base,
      operation: "ADD CONSTRAINT",
      actions: [{ metaData: { ...base.metadata, configuration } }],
      reads: "table",
    });
    await expect(appendRows(table, "SELECT 1 AS id")).rejects.toMatchObject({
      code: "DELTA_UNSUPPORTED_CONSTRAINT",
      value: "spark_only(id) > 1",
    });
    expect(await readRows(duckdb, table)).toHaveLength(1);
  });
});

describe("properties", () => {
  test("bring the features that they need, and no others", async () => {
    const table = await tableOf();
    expect((await table.existingSnapshot()).protocol).toEqual({ minReaderVersion: 1, minWriterVersion: 2 });
    await alterTable(table, { setProperties: { "delta.enableChangeDataFeed": "true", mine: "x" } });
    expect((await table.existingSnapshot()).protocol).toEqual({
      minReaderVersion: 1,
      minWriterVersion: 7,
      writerFeatures: ["appendOnly", "changeDataFeed", "invariants"],
    });
    await alterTable(table, { setProperties: { "delta.enableDeletionVectors": "true", mine: null } });
    const { protocol, metadata } = await table.existingSnapshot();
    expect(protocol).toMatchObject({ minReaderVersion: 3, readerFeatures: ["deletionVectors"] });
    expect(metadata.configuration).not.toHaveProperty("mine");
    await expect(
      alterTable(table, { setProperties: { "delta.enableRowTracking": "true" } }),
    ).rejects.toMatchObject({ code: "DELTA_BAD_PROPERTY", value: "delta.enableRowTracking" });
  });

  test("append-only tables take nothing away", async () => {
    const table = await tableOf({ "delta.appendOnly": "true" });
    await expect(deleteRows(table)).rejects.toMatchObject({ code: "DELTA_APPEND_ONLY" });
    await expect(overwriteRows(table, "SELECT 1 AS id")).rejects.toMatchObject({ code: "DELTA_APPEND_ONLY" });
    await appendRows(table, "SELECT 2 AS id");
  });
});

describe("partitions", () => {
  test("odd values come back as they were, each in files of its own", async () => {
    const values = [
      "a b",
      "x/y",
      "100%",
      "%20",
      "ä=1",
      "__HIVE_DEFAULT_PARTITION__x",
      "a\nb",
      "#?&+",
      "'\"",
      ".",
      "..",
      "x".repeat(200),
    ];
    const table = await tableOf({}, SCHEMA, ["name"]);
    await appendRows(table, { rows: values.map((name, i) => ({ id: i + 10, name })) });
    await appendRows(table, "SELECT 99 AS id, '' AS name UNION ALL SELECT 98, NULL");
    const rows = await readRows(duckdb, table);
    expect(rows.filter((r) => Number(r.id) < 90 && Number(r.id) > 9).map((r) => r.name)).toEqual(values);
    // The protocol does not tell empty text from null.
    expect(rows.filter((r) => Number(r.id) > 90).map((r) => r.name)).toEqual([null, null]);
    const { files } = await table.existingSnapshot();
    expect(files.size).toBe(values.length + 2);
    await expect(appendRows(table, { rows: [{ name: "ü".repeat(99) }] })).rejects.toMatchObject({
      code: "DELTA_BAD_PARTITION",
    });
    await deleteRows(table, "name = '100%'");
    expect(await readRows(duckdb, table)).toHaveLength(rows.length - 1);
  });

  test("of all types that have an order; files larger than asked for are divided", async () => {
    const schema: StructType = {
      type: "struct",
      fields: [
        field("d", "date"),
        field("t", "timestamp"),
        field("n", "decimal(10,3)"),
        field("b", "boolean"),
        field("v", "long"),
      ],
    };
    const table = new DeltaTable(new LocalStore(`${folder.path}/${crypto.randomUUID()}`), duckdb);
    await createTable(table, {
      schema,
      partitionBy: ["d", "t", "n", "b"],
      properties: { "delta.targetFileSize": "300kb" },
    });
    const day =
      "DATE '2024-02-29' AS d, TIMESTAMPTZ '2024-02-29 12:00:00.123456+02' AS t, -1.5 AS n, true AS b";
    await appendRows(
      table,
      `SELECT ${day}, (hash(i) >> 1)::BIGINT AS v FROM (SELECT (i * 7919) % 9223372 AS i FROM range(200000) r(i)) UNION ALL SELECT NULL, NULL, NULL, NULL, 1`,
    );
    const [first] = await readRows(duckdb, table);
    expect(first).toMatchObject({ d: "2024-02-29", t: "2024-02-29T10:00:00.123456Z", n: "-1.500", b: true });
    const sizes = [...(await table.existingSnapshot()).files.values()].map((f) => f.size);
    expect(sizes.length).toBeGreaterThan(2);
    expect(Math.max(...sizes)).toBeLessThan(1_100_000);
    await expect(
      createTable(new DeltaTable(new LocalStore(`${folder.path}/x`), duckdb), { schema, partitionBy: ["w"] }),
    ).rejects.toMatchObject({ code: "DELTA_BAD_SCHEMA" });
  });
});
