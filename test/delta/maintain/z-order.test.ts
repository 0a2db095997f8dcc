import { expect, it } from "vitest";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { createTable } from "../../../lakehouse/delta/create.ts";
import { optimizeTable } from "../../../lakehouse/delta/maintain/optimize.ts";
import { field, type StructType } from "../../../lakehouse/delta/schema.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { rowsOf } from "./setup.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const SCHEMA: StructType = {
  type: "struct",
  fields: [field("x", "integer"), field("y", "integer"), field("pad", "string")],
};
/** Rows whose x and y have nothing to do with their order: multiples of primes in a ring. */
const ROWS = 40_000;
const scattered = `SELECT ((range * 7919) % ${ROWS})::INTEGER AS x, ((range * 104729 + 13) % ${ROWS})::INTEGER AS y, md5(range::VARCHAR) AS pad FROM range(${ROWS})`;

async function scatteredTable(): Promise<DeltaTable> {
  const table = new DeltaTable(new LocalStore(`${folder.path}/${crypto.randomUUID()}`), duckdb);
  await createTable(table, { schema: SCHEMA, properties: { "delta.targetFileSize": "120000" } });
  for (let i = 0; i < 4; i++) await appendRows(table, `SELECT * FROM (${scattered}) WHERE x % 4 = ${i}`);
  return table;
}

/** Bounds of a column in each file, in order. */
async function ranges(table: DeltaTable, column: "x" | "y"): Promise<[min: number, max: number][]> {
  const { files } = await table.existingSnapshot();
  const bounds = [...files.values()].map(({ stats = "{}" }) => {
    const { minValues, maxValues } = JSON.parse(stats) as Record<string, Record<string, number>>;
    return [minValues?.[column] ?? 0, maxValues?.[column] ?? 0] as [number, number];
  });
  return bounds.sort((a, b) => a[0] - b[0]);
}

it("by one column, files do not overlap", async () => {
  const table = await scatteredTable();
  const rows = await rowsOf(table);
  const { addedFiles } = await optimizeTable(table, { zOrderBy: ["x"] });
  expect(addedFiles).toBeGreaterThan(4);
  const files = await ranges(table, "x");
  for (const [i, [min]] of files.entries())
    if (i > 0) expect(min).toBeGreaterThanOrEqual(files[i - 1]?.[1] ?? 0);
  expect(await rowsOf(table)).toEqual(rows);
});

it("by two columns, a condition on either needs few of the files", async () => {
  const table = await scatteredTable();
  const rows = await rowsOf(table);
  await optimizeTable(table, { zOrderBy: ["x", "y"] });
  for (const column of ["x", "y"] as const) {
    const files = await ranges(table, column);
    const touched = files.filter(([min, max]) => min <= 1000 && max >= 900);
    expect(touched.length).toBeLessThanOrEqual(files.length / 2);
  }
  expect(await rowsOf(table)).toEqual(rows);
  expect(await optimizeTable(table, { zOrderBy: ["x", "y"] })).toMatchObject({ commits: 0 });
  expect((await optimizeTable(table, { zOrderBy: ["y"] })).commits).toBe(1);
  const [entry] = await table.history(1);
  expect(entry?.operationParameters).toMatchObject({ zOrderBy: '["y"]' });
});

it.each([
  [
    "string",
    "CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN 'it''s ' || i WHEN 3 THEN chr(0) || i ELSE repeat('ä', i) END",
  ],
  ["binary", "CASE WHEN i % 3 = 0 THEN NULL ELSE from_hex('00ff' || printf('%04x', i)) END"],
  ["boolean", "CASE WHEN i % 3 = 0 THEN NULL ELSE i % 2 = 0 END"],
  [
    "double",
    "CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN 'nan'::DOUBLE WHEN 2 THEN 'inf'::DOUBLE WHEN 3 THEN '-inf'::DOUBLE ELSE i / 7 END",
  ],
  ["decimal(38,10)", "CASE WHEN i % 4 = 0 THEN NULL ELSE i * 12345678901234567890.1 END"],
  ["date", "DATE '2020-01-01' + i"],
  ["timestamp", "TIMESTAMPTZ '2020-01-01 00:00:00.000001Z' + i * INTERVAL 1 HOUR"],
  ["timestamp_ntz", "CASE WHEN i % 2 = 0 THEN NULL ELSE TIMESTAMP '1969-12-31 23:59:59.999999' END"],
  ["long", "CASE WHEN i % 2 = 0 THEN -9223372036854775808 ELSE 9223372036854775807 END"],
  ["byte", "NULL"],
])("orders by any type, with nulls: %s", async (type, sql) => {
  const table = new DeltaTable(new LocalStore(`${folder.path}/${crypto.randomUUID()}`), duckdb);
  await createTable(table, {
    schema: { type: "struct", fields: [field('odd "name', type), field("i", "integer")] },
    properties: { "delta.targetFileSize": "1000" },
  });
  await appendRows(
    table,
    `SELECT ${sql} AS "odd ""name", i FROM (SELECT range::INTEGER AS i FROM range(300))`,
  );
  const rows = await rowsOf(table);
  await optimizeTable(table, { zOrderBy: ['odd "name', "i"] });
  expect(await rowsOf(table)).toEqual(rows);
  expect(await optimizeTable(table, { zOrderBy: ['odd "name', "i"] })).toMatchObject({ commits: 0 });
});
