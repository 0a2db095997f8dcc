/** Columns of a scan: types, names, ids, and files that have them in another way. */
import { expect, it } from "vitest";
import { type Scannable, type ScanOptions, scanSql } from "../../../lakehouse/delta/scan.ts";
import { type DataType, field, type StructField } from "../../../lakehouse/delta/schema.ts";
import { LocalStore } from "../../../lakehouse/store/local.ts";
import { writeDataFile } from "../../support/data-files.ts";
import { useDuckDb } from "../../support/duckdb.ts";
import { useFolder } from "../../support/folder.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const store = new LocalStore(folder.path);

const write = (sql: string, options = "") =>
  writeDataFile(duckdb, folder.path, `${crypto.randomUUID()}.parquet`, sql, { options });
const struct = (...fields: StructField[]): DataType => ({ type: "struct", fields });
const list = (elementType: DataType): DataType => ({ type: "array", elementType, containsNull: true });
const map = (keyType: DataType, valueType: DataType): DataType => ({
  type: "map",
  keyType,
  valueType,
  valueContainsNull: true,
});
const mapped = (name: string, type: DataType, physical: string, id: number): StructField => ({
  ...field(name, type),
  metadata: { "delta.columnMapping.physicalName": physical, "delta.columnMapping.id": id },
});

/** Rows of these files in these columns. */
async function rows(
  fields: readonly StructField[],
  files: Scannable["files"],
  about: Partial<Scannable> = {},
  options: ScanOptions = {},
) {
  const table: Scannable = { schema: { type: "struct", fields }, partitionColumns: [], files, ...about };
  return duckdb.rows(await scanSql(store, table, options));
}

it("reads files as they were before types were widened", async () => {
  const narrow = await write(
    `SELECT 1::TINYINT AS a, 2::INTEGER AS b, 1.5::FLOAT AS c, DATE '2024-02-29' AS d, 1.23::DECIMAL(5,2) AS e,
            3::INTEGER AS f, 4::INTEGER AS g, [5::INTEGER] AS h, MAP {6::INTEGER: 0.5::FLOAT} AS i, {'x': 7::INTEGER} AS j`,
  );
  const fields = [
    field("a", "short"),
    field("b", "long"),
    field("c", "double"),
    field("d", "timestamp_ntz"),
    field("e", "decimal(20,5)"),
    field("f", "double"),
    field("g", "decimal(12,2)"),
    field("h", list("long")),
    field("i", map("long", "double")),
    field("j", struct(field("x", "long"))),
  ];
  const [row] = await rows(fields, [narrow]);
  expect(row).toEqual({
    a: 1,
    b: 2n,
    c: 1.5,
    d: "2024-02-29T00:00:00.000000",
    e: "1.23000",
    f: 3,
    g: "4.00",
    h: [5n],
    i: { 6: 0.5 },
    j: { x: 7n },
  });
});

it("gives NULL for columns and members that a file lacks, and takes columns in any order", async () => {
  const old = await write("SELECT {'b': 2::INTEGER, 'a': 1::INTEGER} AS s, 'x' AS \"Name\"");
  const fields = [
    field("name", "string"),
    field("late", list("long")),
    field("s", struct(field("a", "integer"), field("c", "string"), field("b", "integer"))),
  ];
  expect(await rows(fields, [old])).toEqual([{ name: "x", late: null, s: { a: 1, c: null, b: 2 } }]);
});

it("takes names of DuckDB's own columns, quotes and spaces for names like others", async () => {
  const odd = await write(
    `SELECT 7 AS file_index, 8 AS file_row_number, 'f' AS filename, 9 AS "it's ""odd"" name", 10 AS c0, 11 AS _data`,
  );
  const fields = [
    field("file_index", "integer"),
    field("file_row_number", "integer"),
    field("filename", "string"),
    field(`it's "odd" name`, "integer"),
    field("c0", "integer"),
    field("_data", "integer"),
  ];
  const places = { fileIndex: "at", rowIndex: "row", filePath: "path" };
  expect(await rows(fields, [odd], {}, places)).toEqual([
    {
      file_index: 7,
      file_row_number: 8,
      filename: "f",
      'it\'s "odd" name': 9,
      c0: 10,
      _data: 11,
      at: 0,
      row: 0n,
      path: odd.path,
    },
  ]);
});

it("reads timestamps of any unit, with and without zone, as the table types them", async () => {
  const files = [
    await write("SELECT TIMESTAMP '2024-05-06 07:08:09.123456' AS t"),
    await write("SELECT TIMESTAMPTZ '2024-05-06 07:08:09.123456+00' AS t"),
    await write("SELECT TIMESTAMP_MS '2024-05-06 07:08:09.123' AS t"),
    await write("SELECT TIMESTAMP_NS '2024-05-06 07:08:09.123456789' AS t"),
  ];
  const times = (type: string) =>
    rows([field("t", type)], files).then((found) => found.map(({ t }) => t).sort());
  const [short, long] = ["2024-05-06T07:08:09.123000", "2024-05-06T07:08:09.123456"];
  expect(await times("timestamp_ntz")).toEqual([short, long, long, long]);
  expect(await times("timestamp")).toEqual([`${short}Z`, `${long}Z`, `${long}Z`, `${long}Z`]);
});

it("reads unmarked bytes as text where the column is text", async () => {
  const unmarked = await write("SELECT encode('é') AS s");
  expect(await rows([field("s", "string")], [unmarked])).toEqual([{ s: "é" }]);
  expect(await rows([field("s", "binary")], [unmarked])).toEqual([{ s: Buffer.from("é") }]);
});

it("reads columns of no type, bounded text and other spellings", async () => {
  const file = await write("SELECT 'ab' AS v, 'cd' AS c, 5::DECIMAL(10,0) AS d");
  const fields = [
    field("v", "varchar(10)"),
    field("c", "char(2)"),
    field("d", "decimal"),
    field("n", "void"),
  ];
  expect(await rows(fields, [file])).toEqual([{ v: "ab", c: "cd", d: "5", n: null }]);
});

it("refuses types that it cannot read by name", async () => {
  const file = await write("SELECT 1 AS v");
  for (const type of ["interval day to second", "geometry"]) {
    const refused = { code: "DELTA_UNSUPPORTED_TYPE", value: type };
    await expect(rows([field("v", list(type))], [file])).rejects.toMatchObject(refused);
  }
  const empty = { code: "DELTA_UNSUPPORTED_TYPE", value: "struct without fields" };
  await expect(rows([field("v", struct())], [file])).rejects.toMatchObject(empty);
});

it("gives mapped columns the table's names, members at any depth", async () => {
  const file = await write(
    `SELECT {'m1': 1, 'm2': {'m3': 'x'}} AS p1, [{'m4': 2}, NULL] AS p2, MAP {'k': {'m5': 3}} AS p3, 4 AS p4
      UNION ALL SELECT NULL, NULL, NULL, NULL`,
  );
  const fields = [
    mapped(
      "s",
      struct(mapped("a", "long", "m1", 2), mapped("b", struct(mapped("c", "string", "m3", 4)), "m2", 3)),
      "p1",
      1,
    ),
    mapped("l", list(struct(mapped("d", "long", "m4", 6))), "p2", 5),
    mapped("m", map("string", struct(mapped("e", "long", "m5", 8))), "p3", 7),
    mapped("p1", "integer", "p4", 9),
  ];
  const expected = [
    { s: { a: 1n, b: { c: "x" } }, l: [{ d: 2n }, null], m: { k: { e: 3n } }, p1: 4 },
    { s: null, l: null, m: null, p1: null },
  ];
  expect(await rows(fields, [file], { mapping: "name" })).toEqual(expected);
});

it("finds columns by their ids where the mapping says so", async () => {
  const file = await write(
    "SELECT 1 AS other, {'m': 2} AS another",
    ", FIELD_IDS {other: 11, another: {__duckdb_field_id: 12, m: 13}}",
  );
  const fields = [
    mapped("b", struct(mapped("c", "long", "m", 13)), "p12", 12),
    mapped("a", "long", "p11", 11),
    mapped("late", "string", "other", 14),
  ];
  expect(await rows(fields, [file], { mapping: "id" })).toEqual([{ b: { c: 2n }, a: 1n, late: null }]);
});

it("counts rows of tables without columns in their files", async () => {
  const file = await write("SELECT NULL::BOOLEAN AS _none FROM range(3)");
  expect(await rows([], [file])).toHaveLength(3);
  const partitioned = { ...file, partitionValues: { p: "5" } };
  expect(await rows([field("p", "integer")], [partitioned], { partitionColumns: ["p"] })).toEqual([
    { p: 5 },
    { p: 5 },
    { p: 5 },
  ]);
  expect(await rows([field("p", "integer")], [], { partitionColumns: ["p"] }, { fileIndex: "at" })).toEqual(
    [],
  );
});
