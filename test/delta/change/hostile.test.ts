/** Names and conditions that could make a change of rows go wrong without anyone noticing. */
import { describe, expect, it, test } from "vitest";
import { alterTable } from "../../../lakehouse/delta/alter.ts";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { mergeRows } from "../../../lakehouse/delta/change/merge.ts";
import { overwriteRows } from "../../../lakehouse/delta/change/overwrite.ts";
import { updateRows } from "../../../lakehouse/delta/change/update.ts";
import type { DataType } from "../../../lakehouse/delta/schema.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { readRows } from "../../support/rows.ts";
import { newestChanges, struct, tablesIn } from "./setup.ts";

const duckdb = await useDuckDb();
const tableOf = tablesIn(useFolder(), duckdb);

const FEED = { "delta.enableChangeDataFeed": "true" };
const VECTORS = { "delta.enableDeletionVectors": "true" };

describe("names", () => {
  test.each(["7", "NULL::INTEGER"])(
    "a column rowid of a merge's source is one like others (%s)",
    async (rowid) => {
      const table = await tableOf({ k: "integer", v: "string" }, "SELECT 1 AS k, 'a' AS v");
      const merge = (second: number) =>
        mergeRows(table, {
          source: `SELECT 1 AS k, 'x' AS v, ${rowid} AS rowid UNION ALL SELECT ${second}, 'y', ${rowid}`,
          on: "target.k = source.k",
          matched: [{ update: { v: "source.v" } }],
          notMatched: [{ insert: { k: "source.k", v: "source.v" } }],
        });
      await expect(merge(1)).rejects.toMatchObject({ code: "DELTA_AMBIGUOUS_MERGE" });
      expect(await merge(2)).toMatchObject({ updatedRows: 1, insertedRows: 1 });
      expect(await readRows(duckdb, table)).toEqual([
        { k: 1, v: "x" },
        { k: 2, v: "y" },
      ]);
    },
  );

  test("columns of a table may be called as DuckDB and the feed call their own", async () => {
    const table = await tableOf(
      { rowid: "long", filename: "string", file_row_number: "integer", _row: "integer", _version: "long" },
      "SELECT 5 AS rowid, 'f' AS filename, 1 AS file_row_number, 1 AS _row, 9 AS _version UNION ALL SELECT 5, 'g', 1, 2, 8",
      { properties: VECTORS },
    );
    await updateRows(table, { rowid: "rowid + 1" }, "_row = 1");
    expect(await deleteRows(table, "rowid = 5 AND filename = 'g'")).toMatchObject({ deletedRows: 1 });
    const left = { rowid: 6n, filename: "f", file_row_number: 1, _row: 1, _version: 9n };
    expect(await readRows(duckdb, table)).toEqual([left]);
    expect(await newestChanges(table)).toMatchObject([
      { filename: "g", _version: 8n, _change_type: "delete" },
    ]);
  });

  test.each(["_ingot_file", "_ingot_row", "_INGOT_KIND", "_ingot_source", "_ingot_clause", "_ingot_value_3"])(
    "%s is refused: the kernel has a column of that name",
    async (name) => {
      const refused = { code: "DELTA_BAD_SCHEMA", value: name };
      await expect(tableOf({ [name]: "integer" })).rejects.toMatchObject(refused);
      const table = await tableOf({ k: "integer" }, "SELECT 1 AS k");
      const source = `SELECT 1 AS k, 2 AS ${name}`;
      await expect(appendRows(table, source, { evolveSchema: true })).rejects.toMatchObject(refused);
      const merge = { source, on: "target.k = source.k", matched: [{ delete: true as const }] };
      await expect(mergeRows(table, merge)).rejects.toMatchObject(refused);
    },
  );

  test("columns of a source that differ only in case are refused", async () => {
    const table = await tableOf({ k: "integer" }, "SELECT 1 AS k");
    const twice = "SELECT 1 AS k, 2 AS z, 3 AS Z";
    const refused = { code: "DELTA_BAD_SCHEMA", value: "Z" };
    await expect(appendRows(table, twice, { evolveSchema: true })).rejects.toMatchObject(refused);
    await expect(overwriteRows(table, twice, { evolveSchema: true })).rejects.toMatchObject(refused);
    const merge = { on: "target.k = source.k", matched: [{ update: "all" as const }], evolveSchema: true };
    await expect(mergeRows(table, { ...merge, source: twice })).rejects.toMatchObject(refused);
    await expect(appendRows(table, "SELECT 2 AS k, 3 AS K")).rejects.toMatchObject({ value: "K" });
    expect((await table.existingSnapshot()).version).toBe(1);
  });

  test("members of structs that the table does not have are refused, wherever they stand", async () => {
    const inner = struct({ a: "integer" });
    const table = await tableOf({
      s: inner,
      l: { type: "array", elementType: inner, containsNull: true },
      m: { type: "map", keyType: inner, valueType: inner, valueContainsNull: true },
    });
    const unknown = (value: string) => ({ code: "DELTA_UNKNOWN_COLUMNS", value });
    for (const [sql, member] of [
      ["{a: 1, b: 2} AS s", "b"],
      ["[{a: 1, b: 2}] AS l", "[].b"],
      ["MAP {{a: 1}: {b: 2}} AS m", "{}.b"],
      ["MAP {{b: 1}: {a: 2}} AS m", "{}.b"],
    ] as const) {
      const append = appendRows(table, `SELECT ${sql}`, { evolveSchema: true });
      await expect(append).rejects.toMatchObject(unknown(member));
    }
    // Names of members in objects are exact, as those of columns are.
    for (const [row, member] of [
      [{ s: { a: 1, b: 2 } }, "s.b"],
      [{ l: [{ A: 1 }] }, "l[].A"],
    ] as const) {
      await expect(appendRows(table, { rows: [row] })).rejects.toMatchObject(unknown(member));
    }
    await appendRows(table, "SELECT {A: 1} AS s, [{a: 2}] AS l");
    expect(await readRows(duckdb, table)).toEqual([{ s: { a: 1 }, l: [{ a: 2 }], m: null }]);
  });

  test("members of structs that differ only in case are refused, at any depth", async () => {
    const inner = struct({ a: "integer", A: "string" });
    const types: [DataType, string][] = [
      [inner, "c.A"],
      [struct({ s: inner }), "c.s.A"],
      [{ type: "array", elementType: inner, containsNull: true }, "c[].A"],
      [{ type: "map", keyType: inner, valueType: "long", valueContainsNull: true }, "c{}.A"],
      [{ type: "map", keyType: "long", valueType: struct({ s: inner }), valueContainsNull: true }, "c{}.s.A"],
    ];
    const table = await tableOf({ id: "integer" });
    for (const [type, value] of types) {
      const refused = { code: "DELTA_BAD_SCHEMA", value };
      await expect(tableOf({ c: type })).rejects.toMatchObject(refused);
      await expect(alterTable(table, { addColumn: { name: "c", type } })).rejects.toMatchObject(refused);
    }
    // The same name in structs side by side is no matter.
    await alterTable(table, {
      addColumn: { name: "c", type: struct({ c: struct({ C: "long" }), id: "long" }) },
    });
  });
});

describe("conditions of a merge", () => {
  const on = "target.k = source.k";
  const seed = "SELECT 1 AS k, '5' AS s, 0 AS n UNION ALL SELECT 2, 'bad', 0";
  const columns = { k: "integer", s: "string", n: "integer" };
  const when = (side: string) => `${side}.s <> 'bad'`;

  test.each([
    ["matched", { source: "SELECT 1 AS k, '7' AS s UNION ALL SELECT 2, 'bad'" }, 1],
    ["notMatched", { source: "SELECT 3 AS k, '7' AS s UNION ALL SELECT 4, 'bad'" }, 3],
    ["notMatchedBySource", { source: "SELECT 9 AS k, '' AS s" }, 1],
  ])("keep the values of %s from being computed for other rows", async (kind, { source }, changed) => {
    const table = await tableOf(columns, seed);
    const [side, value] = kind === "notMatchedBySource" ? ["target", 5] : ["source", 7];
    const values = { n: `${side}.s::INTEGER` };
    const clause = { when: when(side) };
    const counts = await mergeRows(table, {
      source,
      on,
      ...(kind === "notMatched"
        ? { notMatched: [{ ...clause, insert: { k: "source.k", ...values } }] }
        : { [kind]: [{ ...clause, update: values }] }),
      // Where rows may be new too, every pair is looked at.
      ...(kind === "matched" ? { notMatched: [{ insert: { k: "source.k" } }] } : {}),
    });
    expect(counts.updatedRows + counts.insertedRows).toBe(1);
    const rows = await readRows(duckdb, table);
    expect(rows.filter((r) => r.n !== 0)).toMatchObject([{ k: changed, n: value }]);
  });

  it("do not see rows that are deleted", async () => {
    const table = await tableOf(columns, seed, { properties: VECTORS });
    await appendRows(table, "SELECT 2 AS k, '6' AS s, 0 AS n UNION ALL SELECT 2, '8', 1");
    await deleteRows(table, "s IN ('bad', '8')");
    const update = { n: "target.s::INTEGER" };
    const merged = await mergeRows(table, { source: "SELECT 2 AS k", on, matched: [{ update }] });
    expect(merged).toMatchObject({ updatedRows: 1 });
    expect((await readRows(duckdb, table)).map((r) => r.n)).toEqual([0, 6]);
  });
});

describe("the feed of rows that bring columns", () => {
  test.each([{}, VECTORS])("shows them, and NULL before (%j)", async (layout) => {
    const table = await tableOf({ k: "integer" }, "SELECT 1 AS k UNION ALL SELECT 2", {
      properties: { ...FEED, ...layout },
    });
    const options = { where: "k = 1", evolveSchema: true };
    await overwriteRows(table, "SELECT 1 AS k, 'new' AS note", options);
    expect(await readRows(duckdb, table)).toEqual([
      { k: 1, note: "new" },
      { k: 2, note: null },
    ]);
    expect(await newestChanges(table)).toEqual([
      { k: 1, note: "new", _change_type: "insert" },
      { k: 1, note: null, _change_type: "delete" },
    ]);
  });

  test.each([{}, VECTORS])("shows that rows went where none came (%j)", async (layout) => {
    const table = await tableOf({ k: "integer" }, "SELECT unnest(range(1, 4))::INTEGER AS k", {
      properties: { ...FEED, ...layout },
    });
    const source = "SELECT 1 AS k, 'new' AS note";
    await overwriteRows(table, `${source} WHERE false`, { where: "k = 1", evolveSchema: true });
    expect(await newestChanges(table)).toEqual([{ k: 1, note: null, _change_type: "delete" }]);
    const on = "target.k = source.k + 1";
    await mergeRows(table, {
      source: `SELECT *, 1 AS more FROM (${source})`,
      on,
      matched: [{ delete: true }],
      evolveSchema: true,
    });
    expect(await newestChanges(table)).toEqual([{ k: 2, note: null, more: null, _change_type: "delete" }]);
    expect(await readRows(duckdb, table)).toEqual([{ k: 3, note: null, more: null }]);
  });
});
