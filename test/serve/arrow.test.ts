/** Published rows as Arrow have the types of their contract, digit by digit; what is sensitive is not among them. */
import { type DataType, Decimal, type Table, tableFromIPC } from "apache-arrow";
import { expect, it } from "vitest";
import { appendRows } from "../../lakehouse/delta/change/append.ts";
import { createTable } from "../../lakehouse/delta/create.ts";
import { inferSchema } from "../../lakehouse/delta/infer-schema.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { full } from "../../layers/definition/model.ts";
import { postgres } from "../../layers/definition/pipeline.ts";
import { sourceOf } from "../../layers/publish/client-source.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { publish } from "../../layers/publish/publish.ts";
import {
  array,
  boolean,
  date,
  decimal,
  defineTable,
  double,
  integer,
  long,
  struct,
  text,
  timestamp,
} from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";
import { serve } from "./served.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const ARROW = "application/vnd.apache.arrow.stream";

const contract = defineTable({
  name: "top",
  description: "top",
  key: ["id"],
  columns: {
    id: long(),
    price: decimal(38, 10).nullable(),
    small: decimal(9, 2),
    at: timestamp().nullable(),
    day: date(),
    n: integer(),
    x: double(),
    flag: boolean(),
    name: text(),
    tags: array(long()),
    place: struct({ city: text(), fee: decimal(5, 2) }).nullable(),
    'a"b': text(),
    mail: text().sensitive("hash"),
    age: long().sensitive("mask"),
    phone: long().sensitive("hash"),
  },
});
const ROWS = `SELECT * FROM (VALUES
  (9007199254740993::BIGINT, 1234567890123456789012345678.0123456789::DECIMAL(38,10), -0.05::DECIMAL(9,2),
   TIMESTAMPTZ '2026-02-03 04:05:06.789012+02', DATE '1969-12-31', 7::INTEGER, 0.1::DOUBLE, true, 'ü',
   [9007199254740993, NULL]::BIGINT[], {'city': 'Rome', 'fee': 1.50::DECIMAL(5,2)}, 'q', 'ada@example.com', 40::BIGINT, 49301::BIGINT),
  (-1, NULL, 12.50, NULL, DATE '2026-01-01', -7, -1e300, false, '', [], NULL, '', 'bob@example.com', 41, 49302)
) AS t(id, price, small, "at", day, n, x, flag, name, tags, place, "a""b", mail, age, phone)`;

const PUBLISH = [
  { model: "top", title: "Top" },
  { model: "top", name: "part", title: "Part", columns: ["day", "id"], orderBy: ["day"], limit: 1 },
  { model: "top", name: "none", title: "None", where: { n: 100 } },
  {
    model: "top",
    name: "own",
    title: "Own",
    sql: "SELECT 2.5::DOUBLE AS x, true AS f, 1.50::DECIMAL(5,2) AS d, NULL AS z",
  },
];

async function served<T>(work: (read: (metric: string) => Promise<Table>) => Promise<T>): Promise<T> {
  const lake = newLake(folder.path, duckdb);
  const session = await duckdb.session();
  await createTable(lake.table("shop/gold/top"), { schema: inferSchema(await session.describe(ROWS)) });
  await session.close();
  await appendRows(lake.table("shop/gold/top"), ROWS);
  const target = new EmbeddedTarget(new MemoryStore());
  const pipeline = {
    name: "shop",
    source: postgres({ tables: {} }),
    gold: { top: full(contract) },
    publish: PUBLISH,
  };
  await publish({ lake, target: async () => target, onProgress: ignoreProgress }, pipeline);
  const server = await serve({ contract, publish: PUBLISH, source: sourceOf(target) });
  try {
    return await work(async (metric) => {
      const response = await fetch(`${server.url}/v1/shop/${metric}`, { headers: { accept: ARROW } });
      expect([response.status, response.headers.get("content-type")]).toEqual([200, ARROW]);
      return tableFromIPC(new Uint8Array(await response.arrayBuffer()));
    });
  } finally {
    await server.stop();
  }
}

const typesOf = (table: Table) =>
  Object.fromEntries(table.schema.fields.map((f) => [f.name, String(f.type)]));
/** The whole number that a decimal of Arrow is, from its four words. */
function unscaled(value: unknown): bigint | null {
  if (!(value instanceof Uint32Array)) return null;
  return BigInt.asIntN(
    128,
    [...value].reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n),
  );
}
const column = (table: Table, name: string) => [...(table.getChild(name) ?? [])];

it("gives decimals, instants and wide integers exactly", () =>
  served(async (read) => {
    const table = await read("top");
    // By key: the row of -1 comes first.
    expect(column(table, "id")).toEqual([-1n, 9007199254740993n]);
    const price = table.getChild("price")?.type as DataType;
    expect(price).toBeInstanceOf(Decimal);
    expect([(price as Decimal).precision, (price as Decimal).scale]).toEqual([38, 10]);
    expect(column(table, "price").map(unscaled)).toEqual([null, 12345678901234567890123456780123456789n]);
    expect(column(table, "small").map(unscaled)).toEqual([1250n, -5n]);
    const instants = table.getChild("at")?.data[0]?.values;
    expect([table.getChild("at")?.get(0), instants?.[1]]).toEqual([null, 1_770_084_306_789_012n]);
    expect(table.getChild("day")?.data[0]?.values).toEqual(new Int32Array([20_454, -1]));
    expect(column(table, "x")).toEqual([-1e300, 0.1]);
    expect(column(table, "flag")).toEqual([false, true]);
    expect(column(table, "name")).toEqual(["", "ü"]);
    expect([...(table.getChild("tags")?.get(1) ?? [])]).toEqual([9007199254740993n, null]);
    expect(table.getChild("place")?.get(0)).toBeNull();
    expect(unscaled(table.getChild("place")?.get(1)?.fee)).toBe(150n);
    expect(typesOf(table)).toMatchObject({
      id: "Int64",
      at: "Timestamp<MICROSECOND, UTC>",
      day: "Date32<DAY>",
      n: "Int32",
      x: "Float64",
      flag: "Bool",
      'a"b': "Utf8",
      mail: "Utf8",
      age: "Int64",
      phone: "Utf8",
    });
    expect(column(table, "age")).toEqual([null, null]);
    expect(String(column(table, "phone")[0])).toMatch(/^[0-9a-f]{64}$/);
    expect(String(column(table, "mail")[0])).toMatch(/^[0-9a-f]{64}$/);
  }));

it("has the columns of the part, of no rows too, and of SQL those of JSON", () =>
  served(async (read) => {
    const part = await read("part");
    expect(typesOf(part)).toEqual({ day: "Date32<DAY>", id: "Int64" });
    expect(part.numRows).toBe(1);
    const none = await read("none");
    expect([none.numRows, Object.keys(typesOf(none))]).toEqual([0, Object.keys(contract.columns)]);
    const own = await read("own");
    expect(typesOf(own)).toEqual({ x: "Float64", f: "Bool", d: "Utf8", z: "Utf8" });
    expect(own.toArray().map((row) => row.toJSON())).toEqual([{ x: 2.5, f: true, d: "1.50", z: null }]);
  }));
