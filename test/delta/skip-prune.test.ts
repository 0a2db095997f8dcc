import { describe, expect, test } from "vitest";
import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import {
  allMatch,
  mayMatch,
  noRowsPossible,
  type SkippableFile,
} from "../../lakehouse/delta/skip/evaluate.ts";
import { parsePredicate } from "../../lakehouse/delta/skip/parse-predicate.ts";
import { pruneFiles } from "../../lakehouse/delta/skip/prune.ts";
import { samePath, type TableInfo } from "../../lakehouse/delta/skip/table-info.ts";
import { useDuckDb } from "../support/duckdb.ts";

const duckdb = await useDuckDb();

function tableOf(
  types: Readonly<Record<string, StructType | string>>,
  partitionColumns: string[] = [],
): TableInfo {
  const fields = Object.entries(types).map(([name, type]) => field(name, type));
  return { schema: { type: "struct", fields }, partitionColumns, physicalPath: samePath };
}

function fileOf(stats: string, partitionValues: Record<string, string | null> = {}): SkippableFile {
  return { partitionValues, stats };
}

/** A file of ten rows of one column `c`. */
function column(min: string, max: string, nulls = 0, more = ""): SkippableFile {
  return fileOf(
    `{"numRecords":10,"minValues":{"c":${min}},"maxValues":{"c":${max}},"nullCount":{"c":${nulls}}${more}}`,
  );
}

async function judge(type: string, file: SkippableFile, sql: string) {
  const table = tableOf({ c: type });
  const { predicate } = await parsePredicate(duckdb, sql, table.schema);
  return { may: mayMatch(predicate, file, table), all: allMatch(predicate, file, table) };
}

describe("files that are skipped", () => {
  const day = column('"2024-03-01"', '"2024-03-31"');
  const text = column('"bear"', '"bee"');
  const at = column('"2024-03-01T00:00:00.000Z"', '"2024-03-01T11:59:59.123Z"');
  test.each([
    ["long", column("10", "20"), "c = 21"],
    ["long", column("10", "20"), "c < 10"],
    ["long", column("10", "20"), "c IN (1, 9, 21)"],
    ["long", column("10", "20"), "c BETWEEN 21 AND 30"],
    ["long", column("10", "20"), "NOT (c >= 5)"],
    ["long", column("10", "10"), "c <> 10"],
    ["long", column("10", "20"), "c < 5 OR c > 25"],
    ["long", column("10", "20"), "c < 5 AND abs(c) > 1"],
    ["long", column("10", "20"), "c IS NULL"],
    ["long", column("10", "20"), "c = NULL"],
    ["long", column("10", "20", 10), "c IS NOT NULL"],
    ["long", column("10", "20"), "c = 20.5"],
    ["long", column("9007199254740992", "9007199254740992"), "c = 9007199254740993"],
    ["long", column("10", "20"), "c IS NOT DISTINCT FROM 5"],
    ["decimal(38,2)", column("1.00", "99999999999999999.98"), "c > 99999999999999999.98"],
    ["double", column("1.5", "2.5"), "c < 1.5"],
    ["float", column("0.1", "0.1"), "c < 0.1"],
    ["date", day, "c >= DATE '2024-04-01'"],
    ["date", day, "c < '2024-03-01'"],
    ["timestamp", at, "c >= TIMESTAMPTZ '2024-03-01 12:00:00+00'"],
    ["timestamp", at, "c > '2024-03-01 11:59:59.123999'"],
    ["string", text, "c LIKE 'bf%'"],
    ["string", text, "c LIKE 'bar%d'"],
    ["string", text, "starts_with(c, 'beg')"],
    ["string", text, "c NOT LIKE 'be%'"],
    ["string", text, "c = 'beer'"],
    ["string", column('"\\uFFFD"', '"\\uD83D\\uDE00"'), "c < '\uFFFC'"],
    ["boolean", fileOf('{"numRecords":2,"minValues":{"c":false},"maxValues":{"c":false}}'), "c"],
  ])("%s %o: %s", async (type, file, sql) => {
    expect((await judge(type, file, sql)).may).toBe(false);
  });

  test("by partition, by nested column and through physical names", async () => {
    const point: StructType = { type: "struct", fields: [field("x", "integer")] };
    const table = {
      ...tableOf({ country: "string", point }, ["country"]),
      physicalPath: (path: readonly string[]) => path.map((n) => `col-${n}`),
    };
    const files = ["DE", "FR", null].map((value, i) =>
      fileOf(
        `{"numRecords":1,"minValues":{"col-point":{"col-x":${i}}},"maxValues":{"col-point":{"col-x":${i}}},"nullCount":{"col-point":{"col-x":0}}}`,
        { "col-country": value },
      ),
    );
    const kept = async (sql: string) => {
      const { predicate } = await parsePredicate(duckdb, sql, table.schema);
      return pruneFiles(files, predicate, table).kept.map((f) => files.indexOf(f));
    };
    expect(await kept("country = 'DE'")).toEqual([0]);
    expect(await kept("country <> 'DE'")).toEqual([1]);
    expect(await kept("country IS NULL")).toEqual([2]);
    expect(await kept("country LIKE 'F%' OR point.x = 0")).toEqual([0, 1]);
    expect(await kept("point.x >= 1")).toEqual([1, 2]);
    expect(await kept("true")).toEqual([0, 1, 2]);
  });
});

describe("files that are kept", () => {
  test.each([
    [
      "a timestamp's maximum lost its microseconds",
      "timestamp",
      column('"2024-03-01T00:00:00.000Z"', '"2024-03-01T00:00:00.123Z"'),
      "c = '2024-03-01 00:00:00.123999'",
    ],
    ["NaN is above every maximum", "double", column("1", "2"), "c > 2"],
    ["a text may have been cut", "string", column('"a"', `"${"b".repeat(32)}"`), `c = '${"b".repeat(33)}'`],
    ["characters beyond U+FFFF come last", "string", column('"a"', '"\\uD83D\\uDE00"'), "c = '\uFFFD'"],
    ["there are no statistics", "long", { partitionValues: {} }, "c = 1"],
    ["the statistics are broken", "long", fileOf("{"), "c = 1"],
    ["a bound is of another type", "long", column('"x"', "true"), "c = 1"],
    [
      "a timestamp has no offset",
      "timestamp",
      column('"2024-03-01T00:00:00"', '"2024-03-01T00:00:00"'),
      "c = '1970-01-01'",
    ],
    ["wide counts of nulls say nothing", "long", column("1", "2", 3, ',"tightBounds":false'), "c IS NULL"],
    [
      "the count of nulls is not known",
      "long",
      fileOf('{"numRecords":1,"minValues":{"c":1},"maxValues":{"c":1}}'),
      "c IS NULL",
    ],
  ])("%s", async (_, type, file, sql) => {
    expect((await judge(type, file, sql)).may).toBe(true);
  });
});

describe("files that match as a whole", () => {
  test.each([
    ["long", column("10", "20"), "c >= 10 AND c <= 20", true],
    ["long", column("10", "20", 1), "c >= 10", false],
    ["long", column("10", "20", 10), "c IS NULL", true],
    ["long", column("10", "20", 0, ',"tightBounds":false'), "c >= 10", false],
    ["long", column("7", "7"), "c IN (1, 7, NULL)", true],
    ["double", column("1", "2"), "c > 0", true],
    ["double", column("1", "2"), "c < 3", false],
    ["string", column('"abc"', '"abd"'), "c LIKE 'ab%'", true],
    ["long", column("10", "20"), "true", true],
    ["long", column("10", "20"), "c >= 10 AND random() >= 0", false],
  ])("%s %o: %s is %s", async (type, file, sql, expected) => {
    expect((await judge(type, file, sql)).all).toBe(expected);
  });

  test("a partition's value needs no statistics, and wide ones do not spoil it", async () => {
    const table = tableOf({ c: "date" }, ["c"]);
    const { predicate } = await parsePredicate(duckdb, "c < '2024-01-01'", table.schema);
    expect(allMatch(predicate, { partitionValues: { c: "2023-12-31" } }, table)).toBe(true);
    expect(allMatch(predicate, fileOf('{"tightBounds":false}', { c: "2023-12-31" }), table)).toBe(true);
    expect(allMatch(predicate, { partitionValues: { c: "" } }, table)).toBe(false);
  });
});

test("a file whose rows are all deleted has none to offer", () => {
  const vector = { storageType: "u", pathOrInlineDv: "x", sizeInBytes: 1 } as const;
  const file = fileOf('{"numRecords":10}');
  expect(noRowsPossible(file)).toBe(false);
  expect(noRowsPossible({ ...file, deletionVector: { ...vector, cardinality: 9 } })).toBe(false);
  expect(noRowsPossible({ ...file, deletionVector: { ...vector, cardinality: 10 } })).toBe(true);
  expect(noRowsPossible(fileOf('{"numRecords":0}'))).toBe(true);
  expect(noRowsPossible({ partitionValues: {} })).toBe(false);
});
