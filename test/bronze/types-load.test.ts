import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { mapColumn, typesOf, valueInSql } from "../../layers/bronze/postgres/types.ts";
import { postgres, type SourceTable } from "../../layers/definition/pipeline.ts";
import { ALL_TYPES, ALL_TYPES_SETUP, createAllTypes, typesRow } from "../support/all-types.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

/** Loads a table into a new lake; answers how to query it as `t`. */
async function loaded(table: string, options: SourceTable = {}, engine = duckdb) {
  const lake = newLake(folder.path, engine);
  const pipeline = { name: "p", source: postgres({ tables: { [table]: options } }) };
  await load(ingestContext(lake, database.url), pipeline);
  return (sql: string) => queryTable(lake, `p/bronze/${table}`, sql);
}

it("loads every type, with values that have no place beside values that have one", async () => {
  await database.query(ALL_TYPES_SETUP);
  await createAllTypes(database, "everything", fc.sample(typesRow, { numRuns: 40, seed: 3 }));
  const query = await loaded("everything");
  const names = ALL_TYPES.map(({ column }) => column);
  const counted = names.map((name) => `count(${identifier(name)})::int AS ${identifier(name)}`).join(", ");
  const [source] = await database.query<Record<string, string>>(`SELECT ${counted} FROM everything`);
  const rescued = await query("SELECT _ingot_rescued AS r FROM t WHERE r IS NOT NULL");
  expect(rescued.length).toBeGreaterThan(0);
  const counts = Object.fromEntries(names.map((name) => [name, 0]));
  for (const { r } of rescued) {
    for (const name of Object.keys(JSON.parse(String(r)))) counts[name] = (counts[name] ?? 0) + 1;
  }
  const [stored] = await query(`SELECT ${counted} FROM t`);
  // Every value that was not null is in its column or among the rescued.
  const total = Object.fromEntries(names.map((name) => [name, Number(stored?.[name]) + (counts[name] ?? 0)]));
  expect(total).toEqual(source);
});

it("rescues infinite and ancient dates and NaN, as Postgres prints them", async () => {
  await database.query(
    `CREATE TABLE odd (id int PRIMARY KEY, d date, t timestamp, z timestamptz, n numeric(6,2), a date[])`,
  );
  await database.query(`INSERT INTO odd VALUES
    (1, 'infinity', '-infinity', 'infinity', 'NaN', '{2020-01-01,infinity}'),
    (2, '0044-03-15 BC', '0044-03-15 12:00 BC', '0044-03-15 12:00+00 BC', 1.5, '[0:0]={2020-01-01}'),
    (3, '10000-01-01', '10000-01-01', '10000-01-01 00:00+00', NULL, '{{2020-01-01}}'),
    (4, '9999-12-31', '9999-12-31 23:59:59.999999', '0001-01-01 00:00+00', -9999.99, '{NULL,0001-01-01}')`);
  const query = await loaded("odd");
  const rows = await query("SELECT d, t, z, n, a, _ingot_rescued AS r FROM t ORDER BY id");
  const nothing = { d: null, t: null, z: null, n: null, a: null };
  expect(rows.map(({ r, ...values }) => [values, r === null ? null : JSON.parse(String(r))])).toEqual([
    [nothing, { d: "infinity", t: "-infinity", z: "infinity", n: "NaN", a: "{2020-01-01,infinity}" }],
    [
      { ...nothing, n: "1.50" },
      {
        d: "0044-03-15 BC",
        t: "0044-03-15 12:00:00 BC",
        z: "0044-03-15 12:00:00+00 BC",
        a: "[0:0]={2020-01-01}",
      },
    ],
    [
      nothing,
      { d: "10000-01-01", t: "10000-01-01 00:00:00", z: "10000-01-01 00:00:00+00", a: "{{2020-01-01}}" },
    ],
    [
      {
        d: "9999-12-31",
        t: "9999-12-31T23:59:59.999999Z",
        z: "0001-01-01T00:00:00.000000Z",
        n: "-9999.99",
        a: [null, "0001-01-01"],
      },
      null,
    ],
  ]);
});

it("keeps a byte order mark that the first text begins with, and rows of nothing but null", async () => {
  await database.query(
    "CREATE TABLE marked (word text); INSERT INTO marked VALUES (U&'\\FEFFfirst'), (NULL), (''), (NULL)",
  );
  const query = await loaded("marked", { key: "none" });
  expect(await query("SELECT hex(word) AS word FROM t ORDER BY word DESC NULLS LAST")).toEqual([
    { word: Buffer.from("\ufefffirst").toString("hex").toUpperCase() },
    { word: "" },
    { word: null },
    { word: null },
  ]);
});

it("loads rows of many megabytes", async () => {
  await database.query("CREATE TABLE long (id int PRIMARY KEY, note text, data bytea)");
  await database.query(
    `INSERT INTO long VALUES (1, 'short', NULL), (2, repeat(E'line "1"\\n', 1200000), NULL), (3, 'x', convert_to(repeat('ab', 2500000), 'UTF8'))`,
  );
  const query = await loaded("long");
  const [source] = await database.query("SELECT md5(note) AS note FROM long WHERE id = 2");
  expect(await query("SELECT md5(note) AS note FROM t WHERE id = 2")).toEqual([source]);
  expect(await query("SELECT octet_length(data)::INTEGER AS n FROM t WHERE id = 3")).toEqual([
    { n: 5_000_000 },
  ]);
});

it("says how much memory a row takes that is too long for what there is", async () => {
  await database.query("CREATE TABLE longer (id int PRIMARY KEY, note text)");
  await database.query("INSERT INTO longer VALUES (1, repeat('secret ', 3500000))");
  const engine = await DuckDb.open({ memoryMb: 96, threads: 2 });
  onTestFinished(() => engine.close());
  const failure = await loaded("longer", {}, engine).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "COPY_ROW_TOO_LONG", value: "public.longer" });
  expect(`${String(failure)} ${JSON.stringify(failure)}`).not.toContain("secret");
});

it("loads views and foreign tables", async () => {
  await database.query(`CREATE VIEW seen AS SELECT 1 AS id, 'one' AS name;
    CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
    CREATE FOREIGN TABLE far (line text) SERVER files OPTIONS (filename '/dev/null')`);
  // A transaction that is open makes loads ask for the transactions of rows, where there are any.
  const open = await database.connect();
  await open.query("BEGIN; CREATE TEMP TABLE holds_an_id (id int)");
  expect(await (await loaded("seen", { key: ["id"] }))("SELECT id, name FROM t")).toEqual([
    { id: 1, name: "one" },
  ]);
  expect(await (await loaded("far", { key: "none" }))("SELECT count(*)::INTEGER AS n FROM t")).toEqual([
    { n: 0 },
  ]);
  await open.query("ROLLBACK");
  await open.end();
});

it("loads as many columns as Postgres allows, with names of any kind", async () => {
  const names = Array.from({ length: 1599 }, (_, i) =>
    i % 2 === 0 ? `"Spalte ""${i}"" ü,;"` : `"${"x".repeat(58)}${i}"`,
  );
  const types = ["int", "text", "numeric(9,3)", "date", "timestamptz"];
  const columns = names.map((name, i) => `${name} ${types[i % types.length]}`);
  await database.query(`CREATE TABLE "Wide ""one""" (id int PRIMARY KEY, ${columns.join(", ")})`);
  await database.query(
    `INSERT INTO "Wide ""one""" (id, ${names[3]}, ${names[1598]}) VALUES (1, '2020-01-01', '2021-02-03')`,
  );
  await database.query(`INSERT INTO "Wide ""one""" (id, ${names[3]}) VALUES (2, 'infinity')`);
  // Columns take memory by their number, more than the other tests have.
  const engine = await DuckDb.open({ memoryMb: 2048, threads: 2 });
  onTestFinished(() => engine.close());
  const query = await loaded('Wide "one"', {}, engine);
  expect(await query(`SELECT id, ${names[3]} AS d, _ingot_rescued AS r FROM t ORDER BY id`)).toEqual([
    { id: 1, d: "2020-01-01", r: null },
    { id: 2, d: null, r: JSON.stringify({ [`${"x".repeat(58)}3`]: "infinity" }) },
  ]);
});

it("loads an empty table", async () => {
  await database.query("CREATE TABLE empty (id int PRIMARY KEY, tags text[])");
  const query = await loaded("empty");
  expect(await query("SELECT count(*)::INTEGER AS n FROM t")).toEqual([{ n: 0 }]);
});

it("puts a value into a column of another type exactly or not at all", async () => {
  const client = await connect(database.url);
  try {
    const types = await typesOf(client, [20, 23, 700, 701, 1700, 1114, 1082, 25, 1007, 999_999]);
    expect(types.has(999_999)).toBe(false);
    const cases: [oid: number, text: string, target: string, value: string | null][] = [
      [1700, "1.50", "decimal(10,1)", "1.5"],
      [1700, "1.55", "decimal(10,1)", null],
      [1700, "12345678901", "decimal(10,1)", null],
      [1700, "7", "integer", "7"],
      [1700, "7.5", "integer", null],
      [1700, "0.1", "double", null],
      [20, "9007199254740993", "double", null],
      [20, "9007199254740992", "double", "9007199254740992.0"],
      [20, "40000", "short", null],
      [23, "16777217", "float", null],
      [701, "0.1", "float", null],
      [701, "0.5", "float", "0.5"],
      [700, "0.1", "double", "0.10000000149011612"],
      [25, "12", "integer", null],
      [25, "t", "boolean", null],
      [1114, "2020-01-01 12:00:00", "date", null],
      [1082, "0044-03-15 BC", "date", null],
      [1082, "2020-01-01", "string", "2020-01-01"],
      [23, "5", "binary", null],
    ];
    for (const [oid, text, target, value] of cases) {
      const sql = valueInSql(mapColumn("c", types.get(oid), -1), target);
      const rows = await duckdb.rows(`SELECT (${sql})::VARCHAR AS v FROM (SELECT $1::VARCHAR AS c)`, [text]);
      expect(rows, `${text} as ${target}`).toEqual([{ v: value }]);
    }
    const list = { type: "array", elementType: "short", containsNull: true } as const;
    const sql = valueInSql(mapColumn("c", types.get(1007), -1), list);
    const narrowed = await duckdb.rows(
      `SELECT (${sql})::VARCHAR AS v FROM (VALUES ('{1,NULL}'), ('{1,40000}')) AS t(c)`,
    );
    expect(narrowed).toEqual([{ v: "[1, NULL]" }, { v: null }]);
  } finally {
    await disconnect(client);
  }
});
