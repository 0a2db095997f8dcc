import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { appendRows } from "../../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../../lakehouse/delta/change/delete.ts";
import { selectFiles } from "../../../lakehouse/delta/change/select-files.ts";
import { checkTable } from "../../../lakehouse/delta/maintain/check.ts";
import { convertToDelta } from "../../../lakehouse/delta/maintain/convert.ts";
import { optimizeTable } from "../../../lakehouse/delta/maintain/optimize.ts";
import { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { literal } from "../../../lakehouse/duckdb/quote.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { MemoryStore } from "../../../lakehouse/store/memory.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";
import { rowsOf } from "./setup.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** A folder of Parquet files by path and SQL, and the table that it is to become. */
async function parquetFolder(files: Readonly<Record<string, string>>): Promise<DeltaTable> {
  const store = new LocalStore(`${folder.path}/${crypto.randomUUID()}`);
  for (const [path, sql] of Object.entries(files)) {
    // Joined by hand: names such as % and spaces are to arrive as they are.
    const file = `${store.root}/${path}`;
    await mkdir(dirname(file), { recursive: true });
    await duckdb.rows(`COPY (${sql}) TO ${literal(file)} (FORMAT parquet, ROW_GROUP_SIZE 2048)`);
  }
  return new DeltaTable(store, duckdb);
}

describe("convert", () => {
  it("makes a table of a folder, with the statistics of its footers, and rewrites nothing", async () => {
    const types = `range::INTEGER AS i, range * 10 - 7 AS l, (range / 3)::DECIMAL(20,4) AS dec, 'n' || range AS s,
      range / 7 AS f, DATE '2024-01-01' + range::INTEGER AS d, TIMESTAMPTZ '2024-01-01 00:00:00.123456Z' + INTERVAL (range) SECOND AS t,
      range % 2 = 0 AS b, [range] AS list, {a: range, b: 'x'} AS st, MAP {'k': range} AS m, CASE WHEN range > 3000 THEN range END AS sparse, 'x'::BLOB AS bin`;
    const table = await parquetFolder({
      "a b.parquet": `SELECT ${types} FROM range(5000)`,
      "deep/er/50%25 ä.PARQUET": `SELECT ${types} FROM range(5000, 9000)`,
    });
    const before = await table.store.list("");
    const result = await convertToDelta(table, { description: "converted" });
    expect(result).toMatchObject({ files: 2, rows: 9000, partitionColumns: [], others: [] });
    expect((await table.store.list("")).filter(({ path }) => !path.startsWith("_delta_log/"))).toEqual(
      before,
    );
    expect(await rowsOf(table)).toHaveLength(9000);
    expect(await checkTable(table, { deep: true })).toMatchObject({
      isSound: true,
      findings: [],
      rows: 9000,
    });
    const snapshot = await table.existingSnapshot();
    const bounds = [...snapshot.files.values()].map(
      ({ stats = "" }) => JSON.parse(stats) as Record<string, object>,
    );
    expect(bounds[0]).toMatchObject({
      numRecords: 5000,
      minValues: {
        i: 0,
        l: -7,
        dec: 0,
        s: "n0",
        d: "2024-01-01",
        t: "2024-01-01T00:00:00.123Z",
        sparse: 3001,
      },
      maxValues: { i: 4999, dec: 1666.3333, sparse: 4999 },
      nullCount: { i: 0, sparse: 3001, bin: 0 },
    });
    expect(bounds[0]?.minValues).not.toHaveProperty("f");
    for (const [where, files] of [
      ["i >= 5000", 1],
      ["t < '2024-01-01 00:00:01Z'", 1],
      ["s = 'n0'", 1],
      ["i = -1", 0],
    ] as const) {
      const selection = await selectFiles(duckdb, snapshot, where);
      expect(selection.files.length + selection.whole.length, where).toBe(files);
    }
    const [entry] = await table.history();
    expect(entry).toMatchObject({
      version: 0,
      operation: "CONVERT",
      operationMetrics: { numConvertedFiles: "2" },
    });
    await appendRows(table, "SELECT 1::INTEGER AS i");
    await deleteRows(table, "i % 2 = 1");
    await optimizeTable(table);
    expect(await rowsOf(table)).toHaveLength(4500);
  });

  it("takes partitions from folder names, with odd values, of declared or inferred types", async () => {
    const names = ["__HIVE_DEFAULT_PARTITION__", "a%2Fb", "100%25", "ä b", "it's", "50%", "x=y"];
    const rows = "SELECT 1 AS id, 'of the file' AS city";
    const table = await parquetFolder({
      ...Object.fromEntries(
        names.map((name) => [`n=7/day=2024-02-29/code=007/city=${name}/x.parquet`, rows]),
      ),
      "_hidden/n=1/x.parquet": rows,
      ".spark/x.parquet": rows,
      "n=7/day=2024-02-29/code=007/city=it's/.x.parquet": rows,
    });
    await writeFile(`${table.store.root}/_SUCCESS`, "");
    await writeFile(`${table.store.root}/notes.txt`, "hello");
    const result = await convertToDelta(table, { partitionTypes: { n: "long" } });
    expect(result).toMatchObject({ files: names.length, others: ["notes.txt"] });
    expect(result.schema.fields.map((f) => [f.name, f.type])).toEqual([
      ["id", "integer"],
      ["n", "long"],
      ["day", "date"],
      ["code", "string"],
      ["city", "string"],
    ]);
    const cities = (await rowsOf(table)).map((text) => (JSON.parse(text) as { city: string | null }).city);
    expect(cities.sort()).toEqual([null, "a/b", "100%", "ä b", "it's", "50%", "x=y"].sort());
    expect(await rowsOf(table)).toContainEqual('{"id":1,"n":7,"day":"2024-02-29","code":"007","city":"x=y"}');
    expect(await checkTable(table, { deep: true })).toMatchObject({ isSound: true });
  });

  it("unites the columns of all files", async () => {
    const table = await parquetFolder({
      "a.parquet": "SELECT 1 AS a, {x: 1} AS s",
      "b.parquet": "SELECT 'b' AS b, {y: 'z', x: 2} AS s",
    });
    await convertToDelta(table);
    expect(await rowsOf(table)).toEqual([
      '{"a":1,"s":{"x":1,"y":null},"b":null}',
      '{"a":null,"s":{"x":2,"y":"z"},"b":"b"}',
    ]);
  });

  it.each<[string, Record<string, string>, string, RegExp]>([
    [
      "types that differ",
      { "a.parquet": "SELECT 1 AS a", "b.parquet": "SELECT 'x' AS a" },
      "DELTA_INCOMPATIBLE_FILES",
      /a string in b\.parquet/,
    ],
    [
      "names that differ by case",
      { "a.parquet": "SELECT 1 AS a", "b.parquet": "SELECT 1 AS A" },
      "DELTA_INCOMPATIBLE_FILES",
      /A integer/,
    ],
    [
      "types that Delta lacks",
      { "a.parquet": "SELECT TIME '10:00' AS a" },
      "DELTA_BAD_PARQUET",
      /a\.parquet/,
    ],
    [
      "mixed partitions",
      { "p=1/a.parquet": "SELECT 1 AS a", "a.parquet": "SELECT 1 AS a" },
      "DELTA_BAD_PARTITION",
      /a\.parquet/,
    ],
    ["nothing", {}, "DELTA_NOTHING_TO_CONVERT", /./],
  ])("refuses %s", async (_name, files, code, value) => {
    const table = await parquetFolder(files);
    await expect(convertToDelta(table)).rejects.toMatchObject({ code, value: expect.stringMatching(value) });
    expect(await table.snapshot()).toBeUndefined();
  });

  it("refuses a table, a broken file, and partitions that do not fit their type", async () => {
    const table = await parquetFolder({ "p=x/a.parquet": "SELECT 1 AS a", "p=x/b.parquet": "SELECT 2 AS a" });
    const asNumbers = convertToDelta(table, { partitionTypes: { p: "integer" } });
    await expect(asNumbers).rejects.toMatchObject({ code: "DELTA_BAD_PARTITION", value: "x" });
    const unknown = convertToDelta(table, { partitionTypes: { q: "integer" } });
    await expect(unknown).rejects.toMatchObject({ code: "DELTA_BAD_PARTITION", value: "q", allowed: "p" });
    await writeFile(`${table.store.root}/p=x/c.parquet`, "no parquet");
    await expect(convertToDelta(table)).rejects.toMatchObject({
      code: "DELTA_BAD_PARQUET",
      value: "p=x/c.parquet",
    });
    await table.store.delete("p=x/c.parquet");
    await convertToDelta(table);
    await expect(convertToDelta(table)).rejects.toMatchObject({ code: "DELTA_TABLE_EXISTS" });
  });

  it("converts on stores whose files must be fetched", async () => {
    const local = await parquetFolder({ "d=2024-01-01/a.parquet": "SELECT 1 AS a" });
    const store = new MemoryStore();
    await store.put(
      "d=2024-01-01/a.parquet",
      (await local.store.get("d=2024-01-01/a.parquet")) ?? new Uint8Array(),
    );
    const table = new DeltaTable(store, duckdb);
    expect(await convertToDelta(table)).toMatchObject({ files: 1, rows: 1 });
    expect(await rowsOf(table)).toEqual(['{"a":1,"d":"2024-01-01"}']);
  });
});
