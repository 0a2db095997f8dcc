import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { RecordBatchReader, tableFromIPC } from "apache-arrow";
import { afterAll, describe, expect, test } from "vitest";
import { arrowBytes } from "../../jobs/explore/arrow-result.ts";
import { openExplorer } from "../../jobs/explore/explorer.ts";
import { type FileFormat, formatOfFile, writeResult } from "../../jobs/explore/write-result.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { makeLake } from "./explored-lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const explorer = await openExplorer(await makeLake(folder.path, duckdb));
afterAll(() => explorer.close());

const FORMATS: FileFormat[] = ["parquet", "csv", "jsonl", "json", "arrow"];
const write = (sql: string, file: string, force = false, signal?: AbortSignal) =>
  writeResult(explorer, sql, join(folder.path, file), { format: formatOfFile(file), force, signal });
const noneLeft = () => expect(readdirSync(folder.path).filter((name) => name.includes(".tmp"))).toEqual([]);

describe.each(FORMATS)("a result as %s", (format) => {
  const reader: Record<FileFormat, string> = {
    parquet: "read_parquet",
    csv: "read_csv",
    jsonl: "read_json",
    json: "read_json",
    arrow: "",
  };

  test("is read again", async () => {
    const file = `rows.${format}`;
    expect(await write("SELECT range AS id, 'it''s, ' || range AS word FROM range(5000)", file)).toBe(5000);
    const path = join(folder.path, file);
    if (format === "arrow") {
      const table = tableFromIPC(readFileSync(path));
      expect([table.numRows, table.get(4999)?.toJSON()]).toEqual([5000, { id: 4999n, word: "it's, 4999" }]);
      return;
    }
    const rows = await duckdb.rows(
      `SELECT count(*)::INT AS n, max(id)::INT AS last, count(*) FILTER (WHERE word = 'it''s, ' || id)::INT AS same FROM ${reader[format]}('${path}')`,
    );
    expect(rows).toEqual([{ n: 5000, last: 4999, same: 5000 }]);
  });

  test("hides what the lake hides", async () => {
    const file = `people.${format}`;
    expect(await write("FROM silver.people AT (VERSION => 1)", file)).toBe(2);
    expect(readFileSync(join(folder.path, file), "latin1")).not.toMatch(/a@secret|Ann Secret|555-secret/);
  });

  test("is not there at all where the query fails, late or early", async () => {
    const late =
      "SELECT CASE WHEN range = 99999 THEN error('too late') ELSE range END AS n FROM range(100000)";
    await expect(write(late, `failed.${format}`)).rejects.toThrow("too late");
    await expect(write("FROM nowhere.at_all", `failed.${format}`)).rejects.toMatchObject({
      code: "SQL_TABLE_UNKNOWN",
    });
    const slow = "SELECT a.range FROM range(10000000) a, range(1000000) b WHERE a.range + b.range < 0";
    await expect(write(slow, `failed.${format}`, false, AbortSignal.timeout(100))).rejects.toMatchObject({
      code: "SQL_TIMEOUT",
    });
    expect(readdirSync(folder.path)).not.toContain(`failed.${format}`);
    noneLeft();
  });

  test("replaces a file only by force, and then only when it is done", async () => {
    const file = `kept.${format}`;
    const path = join(folder.path, file);
    writeFileSync(path, "precious");
    await expect(write("SELECT 1 AS n", file)).rejects.toMatchObject({ code: "FILE_EXISTS" });
    await expect(write("SELECT error('no') AS n", file, true)).rejects.toThrow("no");
    expect(readFileSync(path, "utf8")).toBe("precious");
    expect(await write("SELECT 1 AS n", file, true)).toBe(1);
    expect(readFileSync(path, "latin1")).not.toContain("precious");
    noneLeft();
  });

  test("of no rows has its columns; names that occur twice are told apart", async () => {
    const file = `none.${format}`;
    expect(await write("SELECT 1 AS a, 2 AS a, NULL::DATE AS d WHERE false", file)).toBe(0);
    if (format === "json" || format === "jsonl") return;
    if (format === "arrow") {
      const { schema } = tableFromIPC(readFileSync(join(folder.path, file)));
      expect(schema.fields.map(({ name }) => name)).toEqual(["a", "a_2", "d"]);
      return;
    }
    const columns = await duckdb.rows(`DESCRIBE FROM ${reader[format]}('${join(folder.path, file)}')`);
    expect(columns.map((row) => row.column_name)).toEqual(["a", "a_1", "d"]);
  });
});

test("a file in no folder, a folder as a file, a name that says nothing", async () => {
  await expect(write("SELECT 1", "no/where.csv")).rejects.toMatchObject({ code: "FILE_NO_FOLDER" });
  await expect(
    writeResult(explorer, "SELECT 1", folder.path, { format: "csv", force: true }),
  ).rejects.toMatchObject({ code: "FILE_EXISTS" });
  expect(() => formatOfFile("result")).toThrow(expect.objectContaining({ code: "FORMAT_UNKNOWN" }));
  await expect(write("EXPLAIN SELECT 1", "plan.parquet")).rejects.toMatchObject({ code: "SQL_NO_ROWS" });
});

test.each(["DESCRIBE gold.daily", "SUMMARIZE gold.daily", "SHOW ALL TABLES"])(
  "%s is rows too",
  async (sql) => {
    const { rows } = await explorer.execute(sql);
    expect(await write(sql, "listed.parquet", true)).toBe(rows.length);
  },
);

describe("Arrow", () => {
  const values = `SELECT * FROM (VALUES
    (true, 1::TINYINT, 2::SMALLINT, 3::INTEGER, 9223372036854775807, 255::UTINYINT, 65535::USMALLINT, 4294967295::UINTEGER,
     18446744073709551615::UBIGINT, 0.5::FLOAT, 'NaN'::DOUBLE, -12345678901234567890123456789012345.678::DECIMAL(38,3),
     -0.01::DECIMAL(4,2), 12345678901234567890123456789012345678::HUGEINT, DATE '0044-03-15 (BC)', TIME '23:59:59.999999',
     TIMESTAMP '1969-12-31 23:59:59.000001', TIMESTAMPTZ '2026-03-29 02:30:00.123456+02', TIMESTAMP_NS '2026-01-01 00:00:00.123456789',
     TIMESTAMP_S '2026-01-01 00:00:01', TIMESTAMP_MS '2026-01-01 00:00:00.123', 'é'::VARCHAR, '\\x00\\xFF'::BLOB,
     [1, NULL, 3], [[1.5::DECIMAL(3,1)], NULL, []], {'a b': 1, 'c"d': {'e': DATE '2026-01-01'}}, MAP {7: 'x', 8: NULL}, [1, 2]::INTEGER[2],
     'on'::ENUM('on', 'off'), '00000000-0000-0000-0000-000000000001'::UUID, '{"k": 1}'::JSON),
    (${Array.from({ length: 31 }, () => "NULL").join(", ")})) t(${Array.from({ length: 31 }, (_, i) => `c${i}`).join(", ")})`;

  test("has the exact types", async () => {
    await write(values, "types.arrow");
    const { schema } = tableFromIPC(readFileSync(join(folder.path, "types.arrow")));
    expect(schema.fields.map(({ type }) => String(type))).toEqual([
      "Bool",
      "Int8",
      "Int16",
      "Int32",
      "Int64",
      "Uint8",
      "Uint16",
      "Uint32",
      "Uint64",
      "Float32",
      "Float64",
      "Decimal[38e+3]",
      "Decimal[4e+2]",
      "Decimal[38e0]",
      "Date32<DAY>",
      "Time64<MICROSECOND>",
      "Timestamp<MICROSECOND>",
      "Timestamp<MICROSECOND, UTC>",
      "Timestamp<NANOSECOND>",
      "Timestamp<SECOND>",
      "Timestamp<MILLISECOND>",
      "Utf8",
      "Binary",
      "List<Int32>",
      "List<List<Decimal[3e+1]>>",
      'Struct<{a b:Int32, c"d:Struct<{e:Date32<DAY>}>}>',
      "Map<{key:Int32, value:Utf8}>",
      "FixedSizeList[2]<Int32>",
      "Utf8",
      "Utf8",
      "Utf8",
    ]);
    expect(schema.fields[17]?.type).toMatchObject({ timezone: "UTC" });
  });

  test("has the exact values, and NULL where NULL was", async () => {
    await write(values, "values.arrow");
    const table = tableFromIPC(readFileSync(join(folder.path, "values.arrow")));
    expect(table.schema.fields.map((_, i) => table.getChildAt(i)?.get(1))).toEqual(
      Array.from({ length: 31 }, () => null),
    );
    const raw = (column: number) => table.getChildAt(column)?.data[0]?.values;
    const wide = (column: number) => {
      const words = new BigInt64Array((raw(column) as Uint32Array).slice(0, 4).buffer);
      return ((words[1] ?? 0n) << 64n) | BigInt.asUintN(64, words[0] ?? 0n);
    };
    expect([wide(11), wide(12), wide(13)]).toEqual([
      -12345678901234567890123456789012345678n,
      -1n,
      12345678901234567890123456789012345678n,
    ]);
    const epochs = await duckdb.rows(
      "SELECT (DATE '0044-03-15 (BC)' - DATE '1970-01-01') AS days, epoch_us(TIMESTAMPTZ '2026-03-29 00:30:00.123456+00') AS zoned, epoch_ns(TIMESTAMP_NS '2026-01-01 00:00:00.123456789') AS nanos",
    );
    expect(raw(14)?.[0]).toBe(Number(epochs[0]?.days));
    expect(raw(15)?.[0]).toBe(86_399_999_999n);
    expect(raw(16)?.[0]).toBe(-999_999n);
    expect(raw(17)?.[0]).toBe(epochs[0]?.zoned);
    expect(raw(18)?.[0]).toBe(epochs[0]?.nanos);
    expect([raw(19)?.[0], raw(20)?.[0]]).toEqual([1767225601n, 1767225600123n]);
    const plain = (column: number) => table.getChildAt(column)?.get(0);
    expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(plain)).toEqual([
      true,
      1,
      2,
      3,
      9223372036854775807n,
      255,
      65535,
      4294967295,
      18446744073709551615n,
      0.5,
      Number.NaN,
    ]);
    expect([21, 28, 29, 30].map(plain)).toEqual([
      "é",
      "on",
      "00000000-0000-0000-0000-000000000001",
      '{"k": 1}',
    ]);
    expect([...plain(22)]).toEqual([0, 255]);
    expect([...plain(23)]).toEqual([1, null, 3]);
    expect([...plain(24)].map((inner) => (inner === null ? null : inner.length))).toEqual([1, null, 0]);
    expect(plain(25)["a b"]).toBe(1);
    expect([...plain(26)]).toEqual([
      [7, "x"],
      [8, null],
    ]);
    expect([...plain(27)]).toEqual([1, 2]);
  });

  test("an integer that is too wide is an error, no other number", async () => {
    await expect(
      write("SELECT 170141183460469231731687303715884105727 AS n", "wide.arrow"),
    ).rejects.toMatchObject({
      code: "ARROW_TOO_WIDE",
    });
  });

  test("every date and instant is the number that DuckDB keeps it as", async () => {
    const dates = `SELECT d, d - DATE '1970-01-01' AS days FROM (SELECT DATE '1970-01-01' + (hash(i) % 4000000)::INTEGER - 2000000 AS d FROM range(3000) t(i))
      UNION ALL VALUES (DATE '2000-02-29', 11016), (DATE '1900-03-01', -25508), (DATE '0001-01-01', -719162), (DATE '0001-12-31 (BC)', -719163)`;
    await write(dates, "dates.arrow");
    const table = tableFromIPC(readFileSync(join(folder.path, "dates.arrow")));
    expect(table.numRows).toBe(3004);
    const days = (table.getChild("d")?.data ?? []).flatMap((data) => [...data.values]);
    expect(days).toEqual([...(table.getChild("days") ?? [])].map(Number));
    const instants = `SELECT t, epoch_us(t) AS us FROM (SELECT make_timestamp(((hash(i) % 18000000000000000000)::HUGEINT - 9000000000000000000)::BIGINT) AS t FROM range(3000) r(i))
      UNION ALL SELECT 'infinity'::TIMESTAMP, 9223372036854775807 UNION ALL SELECT '-infinity'::TIMESTAMP, -9223372036854775807`;
    await write(instants, "instants.arrow");
    const times = tableFromIPC(readFileSync(join(folder.path, "instants.arrow")));
    expect(times.numRows).toBe(3002);
    expect((times.getChild("t")?.data ?? []).flatMap((data) => [...data.values])).toEqual([
      ...(times.getChild("us") ?? []),
    ]);
  });

  test("comes in batches, none of which waits for the next", async () => {
    const result = await explorer.stream("SELECT range AS n FROM range(200000)");
    let taken = 0;
    const chunks = (async function* () {
      for await (const chunk of result.chunks) {
        taken += chunk.length;
        yield chunk;
      }
    })();
    const bytes = arrowBytes({ columns: result.columns, chunks }, "stream");
    await bytes.next();
    expect(taken).toBeLessThan(20_000);
    await bytes.return();

    const whole = arrowBytes(await explorer.stream("SELECT range AS n FROM range(200000)"), "stream");
    const sizes: number[] = [];
    let sum = 0n;
    for await (const batch of await RecordBatchReader.from(whole)) {
      sizes.push(batch.numRows);
      for (const n of batch.getChildAt(0) ?? []) sum += n as bigint;
    }
    expect([Math.max(...sizes) < 20_000, sizes.reduce((a, b) => a + b), sum]).toEqual([
      true,
      200_000,
      19999900000n,
    ]);
  });
});

test("Parquet keeps the types of the lake", async () => {
  await write("FROM gold.daily", "daily.parquet");
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const described = await connection.runAndReadAll(`DESCRIBE FROM '${join(folder.path, "daily.parquet")}'`);
  expect(described.getRows().map((row) => row[1])).toEqual(["DATE", "DECIMAL(12,2)"]);
  instance.closeSync();
});
