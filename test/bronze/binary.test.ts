import fc from "fast-check";
import type pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { field, typedSql } from "../../lakehouse/delta/schema.ts";
import type { Row } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { Spool, SpoolFolder } from "../../layers/bronze/load/spool.ts";
import { BinaryCopy, RowTooLong } from "../../layers/bronze/postgres/binary/binary-copy.ts";
import { NoPlace } from "../../layers/bronze/postgres/binary/column-values.ts";
import { wireOf } from "../../layers/bronze/postgres/binary/wire.ts";
import { describeTable, type TableDescription } from "../../layers/bronze/postgres/catalog.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { sourceName } from "../../layers/bronze/schema.ts";
import { ALL_TYPES_SETUP, createAllTypes, typesRow } from "../support/all-types.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useDatabase } from "../support/postgres.ts";
import { hasPlace, isSame, shownSql } from "../support/stored-text.ts";

const duckdb = await useDuckDb();
const database = useDatabase();
let folder: SpoolFolder;
let client: pg.Client;

beforeAll(async () => {
  await database.query(ALL_TYPES_SETUP);
  folder = await SpoolFolder.create();
  client = await connect(database.url);
});
afterAll(async () => {
  await disconnect(client);
  await folder.remove();
});

interface Read {
  readonly table: TableDescription;
  /** SQL over the columns, by their names. */
  readonly select: string;
  readonly bulk?: boolean;
  readonly longestRow?: number;
}

/** Reads a table as binary, over a connection of its own: one that fails is of no more use. */
async function readBinary({ table, select, bulk = true, longestRow = 1 << 20 }: Read): Promise<Row[]> {
  const fields = table.columns.map((column) => wireOf(column));
  const reader = await connect(database.url, { bulk });
  const rows: Row[] = [];
  const spool = new Spool(
    folder,
    fields.map(({ values }) => values()),
    async ({ path, columns }) => {
      const named = table.columns.map(({ name }, i) => `${columns[i]?.sql} AS ${identifier(name)}`);
      const read = `SELECT ${named.join(", ")} FROM read_parquet(${literal(path)})`;
      const values = fields.map(({ value }, i) => `${value} AS ${identifier(table.columns[i]?.name ?? "")}`);
      const types = table.columns.map((column) => field(column.name, column.deltaType));
      const typed = typedSql(`SELECT ${values.join(", ")} FROM (${read})`, types);
      rows.push(...(await duckdb.rows(`SELECT ${select} FROM (${typed})`)));
    },
  );
  const columns = fields.map((wire) => wire.select).join(", ");
  try {
    const query = `COPY (SELECT ${columns} FROM ${sourceName(table)}) TO STDOUT (FORMAT binary)`;
    const onRows = spool.take.bind(spool);
    const copy = new BinaryCopy(query, { columns: fields.length, longestRow, onRows });
    reader.query(copy);
    await copy.ended;
    await spool.end();
    return rows;
  } catch (error) {
    await spool.abandon();
    throw error;
  } finally {
    await disconnect(reader);
  }
}

/** What Postgres prints of a column, by id. */
async function printed(column: string): Promise<Map<number, string | null>> {
  const raw = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig;
  const text = `SELECT id, ${identifier(column)} FROM everything`;
  const { rows } = await client.query({ text, rowMode: "array", types: raw });
  return new Map((rows as [string, string | null][]).map(([id, value]) => [Number(id), value]));
}

it("brings every value of every type as Postgres prints it, or says that one has no place", async () => {
  const rows = fc.sample(typesRow, { numRuns: 60, seed: 11 });
  await createAllTypes(database, "everything", rows);
  const table = await describeTable(client, "everything", {});
  const [id, ...columns] = table.columns;
  if (id === undefined) throw new Error("no id");
  const refused: string[] = [];
  for (const column of columns) {
    const texts = await printed(column.name);
    const select = `id::INTEGER AS key, ${shownSql(column.name, column.deltaType)}`;
    const read = await readBinary({ table: { ...table, columns: [id, column] }, select }).catch(
      (error: unknown) => error,
    );
    const placed = [...texts.values()].every((text) => text === null || hasPlace(column.deltaType, text));
    if (!Array.isArray(read)) {
      refused.push(column.name);
      expect(placed, `${column.name}: ${String(read)}`).toBe(false);
      continue;
    }
    expect(read).toHaveLength(rows.length);
    for (const row of read as Row[]) {
      const text = texts.get(Number(row.key));
      const same =
        text === null ? row[column.name] === null : isSame(column.deltaType, text ?? "", row[column.name]);
      expect(same, `${column.name}: ${text} became ${String(row[column.name])}`).toBe(true);
    }
  }
  // Most columns hold odd values in so many rows; enough remain that were compared.
  expect(refused.length).toBeLessThan(columns.length / 3);
});

const BOUNDS = `
  CREATE TABLE bounds (id int PRIMARY KEY, small int2, long int8, short_decimal numeric(15,2), fraction numeric(15,14),
    decimal numeric(18,4), wide numeric(38,10), day date, at timestamp, zoned timestamptz, uuid uuid, text text);
  INSERT INTO bounds VALUES
    (1, -32768, -9223372036854775808, -9999999999999.99, -9.99999999999999, -99999999999999.9999,
     -9999999999999999999999999999.9999999999, '0001-01-01', '0001-01-01 00:00:00', '0001-01-01 00:00:00+00',
     '00000000-0000-0000-0000-000000000000', ''),
    (2, 32767, 9223372036854775807, 9999999999999.99, 0.00000000000001, 99999999999999.9999,
     9999999999999999999999999999.9999999999, '9999-12-31', '9999-12-31 23:59:59.999999',
     '9999-12-31 23:59:59.999999+00', 'ffffffff-ffff-ffff-ffff-ffffffffffff', repeat('ü', 100000)),
    (3, -1, -1, -0.01, -0.00000000000001, -0.0001, -0.0000000001, '1999-12-31', '1969-12-31 23:59:59.999999',
     '1999-12-31 23:59:59.999999+00', '12345678-9abc-def0-1234-56789abcdef0', 'a\\b"c,d'),
    (4, 1, 4294967296, 42949672.96, 0.1, 10000.0000, 10000, '2000-01-01', '2000-01-01', '2000-01-01 00:00:00+00',
     NULL, NULL),
    (5, 0, -4294967296, -42949672.96, 0, -10000, 0.0001, '1970-01-01', '1970-01-01', '1970-01-01 00:00:00+00', NULL, 'x')`;

it.each([
  ["a plain socket", true],
  ["another socket", false],
])("brings the bounds of every type through %s", async (_name, bulk) => {
  await database.query(`DROP TABLE IF EXISTS bounds; ${BOUNDS}`);
  const table = await describeTable(client, "bounds", {});
  const shown = table.columns.map(({ name }) => `${identifier(name)}::VARCHAR AS ${identifier(name)}`);
  const rows = await readBinary({ table, select: shown.join(", "), bulk });
  const texts = table.columns.map(({ name, deltaType }) =>
    deltaType === "timestamp"
      ? `rtrim(rtrim(to_char(${identifier(name)}, 'YYYY-MM-DD HH24:MI:SS.US'), '0'), '.') || '+00' AS ${identifier(name)}`
      : `${identifier(name)}::text AS ${identifier(name)}`,
  );
  const { rows: expected } = await client.query(`SELECT ${texts.join(", ")} FROM bounds`);
  expect(rows).toEqual(expected);
});

it.each([
  ["day", "infinity"],
  ["day", "0001-12-31 BC"],
  ["at", "-infinity"],
  ["at", "0001-12-31 23:59:59.999999 BC"],
  ["zoned", "infinity"],
  ["zoned", "10000-01-01 00:00:00+00"],
  ["short_decimal", "NaN"],
  ["wide", "NaN"],
])("says that %s has no place for %s", async (column, value) => {
  await database.query(`DROP TABLE IF EXISTS bounds; ${BOUNDS}`);
  await database.query(`UPDATE bounds SET ${identifier(column)} = ${literal(value)} WHERE id = 3`);
  const table = await describeTable(client, "bounds", {});
  await expect(readBinary({ table, select: "*" })).rejects.toThrow(NoPlace);
});

it("brings many rows in several groups, with nulls anywhere", async () => {
  await database.query(`CREATE TABLE many AS
    SELECT g AS id, CASE WHEN g % 3 > 0 THEN g * 7 END AS third, CASE WHEN g > 100000 THEN g::text END AS late,
           CASE WHEN g < 130000 THEN g % 5 = 0 END AS flag, NULL::int8 AS nothing, repeat('y', g % 100) AS text
      FROM generate_series(1, 300000) g`);
  const table = await describeTable(client, "many", { key: "none" });
  const sums = "count(*)::VARCHAR AS n, sum(id)::VARCHAR AS id, sum(third)::VARCHAR AS third";
  const counts =
    "count(late)::VARCHAR AS late, count(*) FILTER (flag)::VARCHAR AS flag, count(nothing)::VARCHAR AS nothing";
  const check = "count(*) FILTER (late::INTEGER <> id OR len(text) <> id % 100)::VARCHAR AS wrong";
  const parts = await readBinary({ table, select: `${sums}, ${counts}, ${check}` });
  const total = (name: string) => parts.reduce((sum, row) => sum + Number(row[name]), 0);
  const expected = { n: 300_000, id: 45_000_150_000, third: 210_000_000_000, late: 200_000, flag: 25_999 };
  expect(Object.fromEntries(Object.keys(expected).map((name) => [name, total(name)]))).toEqual(expected);
  expect([total("nothing"), total("wrong")]).toEqual([0, 0]);
});

it("refuses a row that is longer than allowed before it is in memory", async () => {
  await database.query("CREATE TABLE long AS SELECT 1 AS id, repeat('z', 3000000) AS text");
  const table = await describeTable(client, "long", { key: "none" });
  await expect(readBinary({ table, select: "*", longestRow: 1 << 20 })).rejects.toThrow(RowTooLong);
});

it("passes on what Postgres says", async () => {
  await database.query("CREATE TABLE divided AS SELECT generate_series(-70000, 10) AS id");
  const copy = new BinaryCopy("COPY (SELECT 1 / id FROM divided) TO STDOUT (FORMAT binary)", {
    columns: 1,
    longestRow: 1000,
    onRows: () => undefined,
  });
  const reader = await connect(database.url, { bulk: true });
  reader.query(copy);
  await expect(copy.ended).rejects.toThrow("division by zero");
  // The connection is as good as before.
  expect((await reader.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  await disconnect(reader);
});
