/** What differs between tables and versions, counted exactly, with examples. */
import { expect, it } from "vitest";
import { deleteRows } from "../../lakehouse/delta/change/delete.ts";
import { updateRows } from "../../lakehouse/delta/change/update.ts";
import { inferSchema } from "../../lakehouse/delta/infer-schema.ts";
import type { TablePath } from "../../lakehouse/lake.ts";
import { type DiffOptions, diffTables } from "../../layers/diff/diff.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";
import { writeRows } from "../support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const lake = newLake(folder.path, duckdb);
let tables = 0;

/** A table of its own with the rows of a query. */
async function tableOf(sql: string) {
  const path: TablePath = `shop/gold/t${tables++}`;
  const session = await duckdb.session();
  const schema = inferSchema(await session.describe(sql));
  await session.close();
  await writeRows(duckdb, lake.table(path), sql, { schema });
  return lake.table(path);
}
const side = async (table: Awaited<ReturnType<typeof tableOf>>, label: string, version?: number) => ({
  label,
  table,
  snapshot: await table.existingSnapshot(version),
});
const options = (given: Partial<DiffOptions> = {}): DiffOptions => ({
  key: ["id"],
  examples: 2,
  rate: 1,
  hidden: new Set(),
  keyHolds: false,
  ...given,
});
const diff = async (a: string, b: string, given: Partial<DiffOptions> = {}) =>
  diffTables(
    duckdb,
    await side(await tableOf(a), "here"),
    await side(await tableOf(b), "there"),
    options(given),
  );

const ROWS = "SELECT i::BIGINT AS id, i % 3 AS n, 'v' || i AS \"order\" FROM range(10) r(i)";

it("counts rows of one side, rows that differ, and differing columns, with examples in the order of keys", async () => {
  const other = `SELECT id + 2 AS id, CASE WHEN id = 5 THEN NULL ELSE (id + 2) % 3 END AS n,
    CASE WHEN id IN (5, 6, 7) THEN 'x"' ELSE 'v' || (id + 2) END AS "order" FROM (${ROWS})`;
  const found = await diff(ROWS, other);
  expect(found).toMatchObject({
    leftRows: 10,
    rightRows: 10,
    same: 5,
    different: 3,
    onlyLeft: 2,
    onlyRight: 2,
    isSame: false,
    onlyLeftExamples: ['{"id":0,"n":0,"order":"v0"}', '{"id":1,"n":1,"order":"v1"}'],
    onlyRightExamples: ['{"id":10,"n":1,"order":"v10"}', '{"id":11,"n":2,"order":"v11"}'],
    columns: [
      { column: "n", rows: 1, examples: [{ key: '{"id":7}', left: "1", right: null }] },
      {
        column: "order",
        rows: 3,
        examples: [
          { key: '{"id":7}', left: "v7", right: 'x"' },
          { key: '{"id":8}', left: "v8", right: 'x"' },
        ],
      },
    ],
  });
  expect(await diff(ROWS, ROWS)).toMatchObject({ isSame: true, same: 10, columns: [] });
});

it("takes NULL for a value of a key, and keys of several columns, with names that need quotes", async () => {
  const rows = `SELECT * FROM (VALUES (NULL::BIGINT, DATE '2026-01-01', 1.50::DECIMAL(9,2)), (1, NULL, 2), (1, DATE '2026-01-02', 3))
    AS t("a""b", "select", amount)`;
  const key = ['a"b', "select"];
  expect(await diff(rows, rows, { key })).toMatchObject({ isSame: true, same: 3 });
  const changed = rows.replace("1.50", "1.51");
  expect(await diff(rows, changed, { key })).toMatchObject({
    different: 1,
    onlyLeft: 0,
    columns: [{ column: "amount", examples: [{ left: "1.50", right: "1.51" }] }],
  });
});

it("compares rows without a key as often as they are there", async () => {
  const [a, b] = ["SELECT unnest([1, 1, 2, NULL, NULL]) AS v", "SELECT unnest([1, 2, 2, NULL, 3]) AS v"];
  expect(await diff(a, b, { key: [] })).toMatchObject({
    leftRows: 5,
    rightRows: 5,
    same: 3,
    onlyLeft: 2,
    onlyRight: 2,
    onlyLeftExamples: ['{"v":1}', '{"v":null}'],
    onlyRightExamples: ['{"v":2}', '{"v":3}'],
  });
});

it("says which columns differ in type, and compares the values of others in a type that holds both", async () => {
  const a = "SELECT 1::INTEGER AS id, 1.5::DECIMAL(9,1) AS price, DATE '2026-01-01' AS day, 'a' AS gone";
  const b = "SELECT 1::BIGINT AS id, 1.50::DECIMAL(9,2) AS price, TIMESTAMP '2026-01-01' AS day, 2 AS came";
  expect(await diff(a, b)).toMatchObject({
    same: 1,
    different: 0,
    isSame: false,
    schema: [
      { column: "id", left: "INTEGER", right: "BIGINT" },
      { column: "price", left: "DECIMAL(9,1)", right: "DECIMAL(9,2)" },
      { column: "day" },
      { column: "gone", right: null },
      { column: "came", left: null, right: "INTEGER" },
    ],
  });
  expect(await diff(a, b, { columns: ["price"], key: [] })).toMatchObject({
    same: 1,
    schema: [{ column: "price" }],
  });
});

it("reads of two versions only the files that they do not share, and counts all rows", async () => {
  const table = await tableOf("SELECT i::BIGINT AS id, 0 AS n FROM range(1000) r(i)");
  await writeRows(duckdb, table, "SELECT i::BIGINT AS id, 0 AS n FROM range(1000, 1100) r(i)");
  await updateRows(table, { n: "5" }, "id = 1050");
  await deleteRows(table, "id = 1051");
  const [from, to] = [await side(table, "before", 1), await side(table, "after")];
  const expected = { leftRows: 1100, rightRows: 1099, same: 1098, different: 1, onlyLeft: 1, onlyRight: 0 };
  expect(await diffTables(duckdb, from, to, options({ keyHolds: true }))).toMatchObject(expected);
  expect(await diffTables(duckdb, from, to, options())).toMatchObject(expected);
  expect(await diffTables(duckdb, from, to, options({ key: [] }))).toMatchObject({
    same: 1098,
    onlyLeft: 2,
    onlyRight: 1,
  });
  // The shared file is gone, and nobody misses it.
  const [shared = ""] = [...from.snapshot.files.keys()].filter((path) => to.snapshot.files.has(path));
  await table.store.delete(shared);
  expect(await diffTables(duckdb, from, to, options({ keyHolds: true }))).toMatchObject(expected);
  await expect(diffTables(duckdb, from, to, options())).rejects.toMatchObject({ code: "DELTA_MISSING_FILE" });
});

it("takes the same keys of both sides into a sample", async () => {
  const a = "SELECT i::INTEGER AS id, 'a' AS v FROM range(20000) r(i)";
  const b = "SELECT i::BIGINT AS id, 'b' AS v FROM range(20000) r(i)";
  const found = await diff(a, b, { rate: 0.05, examples: 0 });
  expect(found).toMatchObject({ onlyLeft: 0, onlyRight: 0, same: 0, different: found.leftRows });
  expect(found.leftRows).toBeGreaterThan(700);
  expect(found.leftRows).toBeLessThan(1300);
});

it("hides values that are not to be seen, of the key too", async () => {
  const text = JSON.stringify([
    await diff("SELECT 'k' AS id, 'old' AS mail", "SELECT 'k' AS id, 'new' AS mail", {
      hidden: new Set(["mail"]),
    }),
    await diff("SELECT 'secret' AS id", "SELECT 'private' AS id", { hidden: new Set(["id"]) }),
    await diff("SELECT 'secret' AS id", "SELECT 'private' AS id", { hidden: new Set(["id"]), key: [] }),
  ]);
  expect(text).not.toMatch(/old|new|secret|private/);
  expect(text.match(/hidden/g)?.length).toBeGreaterThan(5);
});

it("refuses keys that are there several times, and names that are not there", async () => {
  await expect(diff(ROWS, ROWS, { key: ["n"] })).rejects.toMatchObject({
    code: "DIFF_REPEATED_KEY",
    value: "10 rows of 3 keys (n)",
  });
  await expect(diff(ROWS, ROWS, { key: ["nope"] })).rejects.toMatchObject({
    code: "DIFF_KEY",
    value: "nope",
  });
  await expect(diff(ROWS, ROWS, { columns: ["nope"] })).rejects.toMatchObject({ code: "DIFF_COLUMN" });
});
