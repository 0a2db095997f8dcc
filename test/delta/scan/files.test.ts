/** Files of a scan: their names, partitions, deleted rows, and those that are gone. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import { DataFileCache } from "../../../lakehouse/cache/data-file-cache.ts";
import type { AddFile } from "../../../lakehouse/delta/actions.ts";
import { RowSet } from "../../../lakehouse/delta/deletion-vector/row-set.ts";
import { writeDeletionVectors } from "../../../lakehouse/delta/deletion-vector/write.ts";
import { explainReadError } from "../../../lakehouse/delta/scan/read-error.ts";
import { planScan, type Scannable, type ScanOptions, scanSql } from "../../../lakehouse/delta/scan.ts";
import { field } from "../../../lakehouse/delta/schema.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { writeDataFile } from "../../support/data-files.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const root = join(folder.path, "table");
const store = new LocalStore(root);
const cache = new DataFileCache({ folder: join(folder.path, "cache") });
const X = [field("x", "long")];

const write = (path: string, sql: string, about: Parameters<typeof writeDataFile>[4] = {}) =>
  writeDataFile(duckdb, root, path, sql, about);
const tableOf = (files: readonly AddFile[], about: Partial<Scannable> = {}): Scannable => ({
  schema: { type: "struct", fields: X },
  partitionColumns: [],
  files,
  ...about,
});
const rows = async (table: Scannable, options: ScanOptions = {}) =>
  duckdb.rows(await scanSql(store, table, { cache, ...options }));

it("reads exactly the file that is named, whatever its name means to others", async () => {
  await write("a1.parquet", "SELECT 99 AS x");
  const names = [
    "a[1].parquet",
    "a*.parquet",
    "a?.parquet",
    "a{1}.parquet",
    'it\'s a "b" #é%41.parquet',
    "p=%5B1%5D/c&d+e.parquet",
  ];
  for (const [i, name] of names.entries()) {
    const logged = name.split("/").map(encodeURIComponent).join("/");
    const file = await write(name, `SELECT ${i} AS x`, { logged });
    expect(await rows(tableOf([file]), { filePath: "path" })).toEqual([{ x: BigInt(i), path: logged }]);
  }
});

it("takes absolute paths and file URLs, and refuses what lies outside of a table's reach", async () => {
  const file = await write("abs olute.parquet", "SELECT 1 AS x");
  for (const path of [
    `${root}/abs%20olute.parquet`,
    `file:${root}/abs%20olute.parquet`,
    `file://${root}/abs%20olute.parquet`,
  ]) {
    expect(await rows(tableOf([{ ...file, path }]))).toEqual([{ x: 1n }]);
  }
  for (const path of [
    "s3://bucket/x.parquet",
    "../x.parquet",
    "a//b.parquet",
    "https://example.com/x.parquet",
  ]) {
    await expect(rows(tableOf([{ ...file, path }]))).rejects.toMatchObject({
      code: "DELTA_FOREIGN_FILE",
      value: path,
    });
  }
});

it("names the data file that is gone", async () => {
  const file = await write("gone.parquet", "SELECT 1 AS x");
  rmSync(join(root, "gone.parquet"));
  const sql = await scanSql(store, tableOf([file]));
  const error = await duckdb.rows(sql).catch((cause: unknown) => explainReadError(cause, store.root));
  expect(error).toMatchObject({ code: "DELTA_MISSING_FILE", value: join(root, "gone.parquet") });
});

it("types partition values, of one partition or of many", async () => {
  const cases: readonly (readonly [type: string, text: string | null, value: unknown])[] = [
    ["string", "a'b", "a'b"],
    ["string", "", null],
    ["string", "__HIVE_DEFAULT_PARTITION__", "__HIVE_DEFAULT_PARTITION__"],
    ["integer", null, null],
    ["integer", "-5", -5],
    ["integer", "__HIVE_DEFAULT_PARTITION__", null],
    ["long", "9007199254740993", 9007199254740993n],
    ["byte", "7", 7],
    ["boolean", "true", true],
    ["double", "NaN", Number.NaN],
    ["double", "-Infinity", Number.NEGATIVE_INFINITY],
    ["float", "0.1", Math.fround(0.1)],
    ["decimal(20,3)", "12345678901234567.891", "12345678901234567.891"],
    ["date", "2024-02-29", "2024-02-29"],
    ["date", "1582-10-04", "1582-10-04"],
    ["timestamp", "2024-01-02 03:04:05.123456", "2024-01-02T03:04:05.123456Z"],
    ["timestamp", "2024-01-02T03:04:05.123456Z", "2024-01-02T03:04:05.123456Z"],
    ["timestamp_ntz", "2024-01-02 03:04:05", "2024-01-02T03:04:05.000000"],
    ["binary", "\u0000\u00ff", Buffer.from([0, 255])],
  ];
  const file = await write("partition.parquet", "SELECT 1 AS x");
  for (const [type, text, value] of cases) {
    const about = {
      schema: { type: "struct" as const, fields: [field("p", type)] },
      partitionColumns: ["p"],
    };
    const one = { ...file, partitionValues: { p: text } };
    expect(await rows(tableOf([one], about))).toEqual([{ p: value }]);
    // A second column with many values keeps these in one part.
    const many = Array.from({ length: 20 }, (_, i) => ({
      ...file,
      partitionValues: { p: i % 2 ? null : text, q: String(i) },
    }));
    const wider = {
      schema: { type: "struct" as const, fields: [field("p", type), field("q", "integer")] },
      partitionColumns: ["p", "q"],
    };
    const found = await duckdb.rows(
      `FROM (${await scanSql(store, tableOf(many, wider))}) WHERE q >= 18 ORDER BY q`,
    );
    expect(found).toEqual([
      { p: value, q: 18 },
      { p: null, q: 19 },
    ]);
  }
});

it("refuses a partition value that is not of its type", async () => {
  const file = { ...(await write("bad.parquet", "SELECT 1 AS x")), partitionValues: { p: "many" } };
  const about = {
    schema: { type: "struct" as const, fields: [field("p", "integer")] },
    partitionColumns: ["p"],
  };
  await expect(rows(tableOf([file], about))).rejects.toMatchObject({
    code: "DELTA_BAD_PARTITION_VALUE",
    value: "many",
  });
});

it("does not open files of partitions that a condition leaves out", async () => {
  const file = { ...(await write("kept.parquet", "SELECT 1 AS x")), partitionValues: { p: "a" } };
  writeFileSync(join(root, "unreadable.parquet"), "no Parquet");
  const other = { ...file, path: "unreadable.parquet", partitionValues: { p: "b" } };
  const about = {
    schema: { type: "struct" as const, fields: [...X, field("p", "string")] },
    partitionColumns: ["p"],
  };
  const sql = await scanSql(store, tableOf([other, file], about));
  expect(await duckdb.rows(`FROM (${sql}) WHERE p = 'a'`)).toEqual([{ x: 1n, p: "a" }]);
  await expect(duckdb.rows(`FROM (${sql}) WHERE p = 'b'`)).rejects.toMatchObject({ code: "DUCKDB_SQL" });
});

it("leaves out the rows of deletion vectors, few and many, of some of the files", async () => {
  let name = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          count: fc.integer({ min: 1, max: 3000 }),
          step: fc.constantFrom(0, 1, 2, 700),
          partition: fc.integer({ min: 0, max: 20 }),
        }),
        { minLength: 1, maxLength: 6 },
      ),
      async (specs) => {
        const files: AddFile[] = [];
        const expected: string[] = [];
        for (const [index, { count, step, partition }] of specs.entries()) {
          const deleted =
            step === 0 ? [] : Array.from({ length: Math.ceil(count / step) }, (_, i) => i * step);
          const [deletionVector] = step === 0 ? [] : await writeDeletionVectors(store, [RowSet.of(deleted)]);
          const path = `dv-${++name}.parquet`;
          const file = await write(path, `SELECT range AS x FROM range(${count})`, {
            partitionValues: { p: String(partition) },
          });
          files.push(deletionVector === undefined ? file : { ...file, deletionVector });
          const gone = new Set(deleted);
          for (let i = 0; i < count; i++)
            if (!gone.has(i)) expected.push(`${index} ${i} ${i} ${partition} ${path}`);
        }
        const about = {
          schema: { type: "struct" as const, fields: [...X, field("p", "integer")] },
          partitionColumns: ["p"],
        };
        const places = { fileIndex: "at", rowIndex: "row", filePath: "path" };
        const found = await rows(tableOf(files, about), places);
        expect(found.map((r) => `${r.at} ${r.row} ${r.x} ${r.p} ${r.path}`).sort()).toEqual(expected.sort());
      },
    ),
    { numRuns: 12 },
  );
});

it("writes many deleted rows to a file once", async () => {
  const [deletionVector] = await writeDeletionVectors(store, [
    RowSet.of(Array.from({ length: 2000 }, (_, i) => i)),
  ]);
  const file = await write("many.parquet", "SELECT range AS x FROM range(2001)");
  const table = tableOf([deletionVector === undefined ? file : { ...file, deletionVector }]);
  const first = await planScan(store, table, { cache });
  expect(await planScan(store, table, { cache })).toEqual(first);
  expect(first.addresses).toEqual([join(root, "many.parquet"), expect.stringContaining(cache.folder)]);
  expect(await duckdb.rows(first.sql)).toEqual([{ x: 2000n }]);
});

it("leaves out very many deleted rows", async () => {
  const count = 1_100_000;
  const deleted = Array.from({ length: count }, (_, i) => i).filter((i) => i % 7 > 2 || i > 1_000_000);
  const stats = JSON.stringify({ numRecords: count });
  const files: AddFile[] = [];
  for (const rowsGone of [deleted, [5, 65_536, 1_099_999]]) {
    const [deletionVector] = await writeDeletionVectors(store, [RowSet.of(rowsGone)]);
    const file = await write(
      `very-many-${rowsGone.length}.parquet`,
      `SELECT range AS x FROM range(${count})`,
      { stats },
    );
    files.push(deletionVector === undefined ? file : { ...file, deletionVector });
  }
  const { sql, addresses } = await planScan(store, tableOf(files), { cache, fileIndex: "at" });
  expect(addresses.at(-1)).toMatch(/bits\.csv$/);
  const kept = "(range % 7 <= 2 AND range <= 1000000)";
  const wrong = await duckdb.rows(
    `WITH expected AS (SELECT range AS x, 0 AS at FROM range(${count}) WHERE ${kept}
       UNION ALL SELECT range, 1 FROM range(${count}) WHERE range NOT IN (5, 65536, 1099999))
     SELECT (SELECT count(*) FROM (FROM expected EXCEPT ALL FROM (${sql}))) AS lost,
            (SELECT count(*) FROM (FROM (${sql}) EXCEPT ALL FROM expected)) AS extra`,
  );
  expect(wrong).toEqual([{ lost: 0n, extra: 0n }]);
});
