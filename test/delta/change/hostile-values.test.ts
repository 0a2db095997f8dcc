/** Values that a write could store as others, or twice, without anyone noticing. */
import { describe, expect, it, test } from "vitest";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { mergeRows } from "../../../lakehouse/delta/change/merge.ts";
import { overwriteRows } from "../../../lakehouse/delta/change/overwrite.ts";
import { updateRows } from "../../../lakehouse/delta/change/update.ts";
import { Transaction } from "../../../lakehouse/table/transaction.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { readRows } from "../../support/rows.ts";
import { newestChanges, struct, tablesIn } from "./setup.ts";

const duckdb = await useDuckDb();
const tableOf = tablesIn(useFolder(), duckdb);

const FEED = { "delta.enableChangeDataFeed": "true" };
const VECTORS = { "delta.enableDeletionVectors": "true" };

describe("digits", () => {
  test.each([
    ["long", "9007199254740993", "sqrt(4)"],
    ["decimal(38,0)", "12345678901234567890123456789012345678", "2e0"],
    ["decimal(38,10)", "1234567890123456789012345678.0123456789", "2::DOUBLE"],
  ])("of %s that an update by a DOUBLE keeps stay", async (type, digits, set) => {
    const rows = `SELECT 1 AS id, '${digits}' AS v UNION ALL SELECT 2, '${digits}'`;
    const table = await tableOf({ id: "integer", v: type }, rows, { properties: FEED });
    await updateRows(table, { v: set }, "id = 1");
    const text = (kept: unknown) => String(kept);
    const [changed, kept] = await readRows(duckdb, table);
    expect(text(kept?.v)).toBe(digits);
    expect(Number(changed?.v)).toBe(2);
    const changes = await newestChanges(table);
    expect(changes.map((r) => [r._change_type, Number(r.v) === 2 ? "2" : text(r.v)])).toEqual([
      ["update_postimage", "2"],
      ["update_preimage", digits],
    ]);
  });

  it("of rows that a merge keeps stay", async () => {
    const big = 9_007_199_254_740_993n;
    const table = await tableOf(
      { k: "integer", v: "long" },
      `SELECT 1 AS k, ${big} AS v UNION ALL SELECT 2, ${big}`,
    );
    await mergeRows(table, {
      source: "SELECT 1 AS k, 3.5::DOUBLE AS v UNION ALL SELECT 3, 4::DOUBLE",
      on: "target.k = source.k",
      matched: [{ update: { v: "source.v * 2" } }],
      notMatched: [{ insert: "all" }],
    });
    expect((await readRows(duckdb, table)).map((r) => r.v)).toEqual([7n, big, 4n]);
  });
});

describe("values", () => {
  it("bytes of plain rows stand in binary columns as they are, and nowhere else", async () => {
    const table = await tableOf({ id: "integer", b: "binary", t: "string", l: struct({ b: "binary" }) });
    const values = [Buffer.from("0x68ä\0"), new Uint8Array([0, 255, 92]), Buffer.alloc(0), null];
    await appendRows(table, { rows: values.map((b, id) => ({ id, b, t: "0x68" })) });
    const rows = await readRows(duckdb, table);
    const hex = (value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
    expect(rows.map((r) => hex(r.b))).toEqual(values.map(hex));
    expect(rows.map((r) => r.t)).toEqual(values.map(() => "0x68"));
    for (const row of [
      { t: Buffer.from("text") },
      { id: Buffer.from([1]) },
      { l: { b: Buffer.from([1]) } },
      { b: "abcdef" },
      { b: [1, 2] },
      { t: new Map([["a", 1]]) },
    ]) {
      const refused = { code: "DELTA_BAD_ROWS", value: expect.stringContaining(Object.keys(row).join()) };
      await expect(appendRows(table, { rows: [row] })).rejects.toMatchObject(refused);
    }
    expect((await table.existingSnapshot()).version).toBe(1);
  });

  test.each([{}, VECTORS])("text with NUL characters is a key like any other (%j)", async (properties) => {
    const key = (text: string) => `'${text}' || chr(0) || 'b'`;
    const rows = ["a", "c"].map((text, v) => `SELECT ${key(text)} AS k, ${v} AS v`).join(" UNION ALL ");
    const table = await tableOf({ k: "string", v: "integer" }, `${rows} UNION ALL SELECT 'a', 2`, {
      properties,
    });
    const merged = await mergeRows(table, {
      source: `SELECT ${key("a")} AS k, 10 AS v UNION ALL SELECT 'c', 11`,
      on: "target.k = source.k",
      matched: [{ update: "all" }],
      notMatched: [{ insert: "all" }],
    });
    expect(merged).toMatchObject({ updatedRows: 1, insertedRows: 1 });
    expect(await deleteRows(table, `k = ${key("c")}`)).toMatchObject({ deletedRows: 1 });
    expect(await readRows(duckdb, table)).toEqual([
      { k: "a", v: 2 },
      { k: "a\0b", v: 10 },
      { k: "c", v: 11 },
    ]);
  });
});

describe("exactly once", () => {
  it("a replayed append or overwrite writes nothing, under the version recorded or an older one", async () => {
    const table = await tableOf({ k: "integer" });
    const under = (version: number) => ({ transaction: { appId: "feed", version } });
    expect(await appendRows(table, "SELECT 1 AS k", under(5))).toMatchObject({ version: 1, rows: 1 });
    expect(await overwriteRows(table, "SELECT 2 AS k", under(6))).toMatchObject({ version: 2, rows: 1 });
    for (const version of [5, 6]) {
      for (const where of [undefined, "k = 3"]) {
        const again = overwriteRows(table, "SELECT 3 AS k", {
          ...under(version),
          ...(where ? { where } : {}),
        });
        expect(await again).toEqual({ version: 2, rows: 0, bytes: 0 });
      }
      expect(await appendRows(table, "SELECT 3 AS k", under(version))).toMatchObject({ version: 2, rows: 0 });
    }
    expect(await readRows(duckdb, table)).toEqual([{ k: 2 }]);
    expect((await table.existingSnapshot()).transactions.get("feed")?.version).toBe(6);
  });

  it("a transaction that goes back is refused", async () => {
    const table = await tableOf({ k: "integer" });
    await appendRows(table, "SELECT 1 AS k", { transaction: { appId: "feed", version: 9 } });
    const transaction = new Transaction(table, await table.existingSnapshot());
    await transaction.append("SELECT 2 AS k");
    transaction.record("feed", 3);
    await expect(transaction.commit()).rejects.toMatchObject({ code: "DELTA_TRANSACTION_BACK", value: 3 });
    expect(await readRows(duckdb, table)).toEqual([{ k: 1 }]);
  });
});
