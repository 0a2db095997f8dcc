import { expect, it } from "vitest";
import { load, sync } from "../../layers/bronze/ingest.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { postgres } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

const pipelineOf = (tables: Parameters<typeof postgres>[0]["tables"]): PipelineDefinition => ({
  name: "shop",
  source: postgres({ tables }),
});

it("loads every type as it is, and tells empty text from null", async () => {
  await database.query(`CREATE TABLE "Odd ""name" (
    id bigint PRIMARY KEY, "Größe" text, b boolean, s smallint, i integer, r real, d double precision,
    m numeric(12,2), n numeric, big numeric(50,10), day date, at timestamptz, local timestamp, data bytea,
    doc jsonb, u uuid, tags text[], span interval)`);
  await database.query(
    `INSERT INTO "Odd ""name" VALUES
      (1, E'a,"b"\\nc', true, -1, 2, 1.5, 0.1, 12.34, 1.2345678901234567890123456789012345678901234567890, 1e39, '2026-02-28',
       '2026-02-28 12:00:00.123456+02', '2026-02-28 12:00:00.5', '\\x00ff', '{"a": 1}', '00000000-0000-0000-0000-000000000001', '{x,"y z"}', '1 day 2 hours'),
      (2, '', false, NULL, NULL, 'NaN', 'Infinity', NULL, NULL, NULL, NULL, NULL, NULL, '', NULL, NULL, '{}', NULL),
      (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`,
  );
  const lake = newLake(folder.path, duckdb);
  const pipeline = pipelineOf({ 'Odd "name': {} });
  const [report] = await load(ingestContext(lake, database.url), pipeline);
  expect(report).toMatchObject({ status: "committed", rows: 3, mode: "load" });
  const rows = await queryTable(lake, 'shop/bronze/Odd "name', "FROM t ORDER BY id");
  expect(rows[0]).toMatchObject({
    id: 1n,
    Größe: 'a,"b"\nc',
    b: true,
    s: -1,
    m: "12.34",
    n: "1.2345678901234567890123456789012345678901234567890",
    big: "1000000000000000000000000000000000000000.0000000000",
    day: "2026-02-28",
    at: "2026-02-28T10:00:00.123456Z",
    local: "2026-02-28T12:00:00.500000Z",
    doc: '{"a": 1}',
    tags: ["x", "y z"],
    span: "1 day 02:00:00",
    _ingot_op: "r",
  });
  expect(rows[0]?.data).toEqual(Buffer.from([0, 255]));
  expect(rows[1]).toMatchObject({ Größe: "", r: Number.NaN, d: Number.POSITIVE_INFINITY, tags: [] });
  expect(rows[2]).toMatchObject({ Größe: null, data: null, tags: null });
});

it("loads only once, and syncs exactly what committed since: ties, late commits, savepoints, deletes", async () => {
  await database.query(
    "CREATE TABLE accounts (id bigint PRIMARY KEY, balance int, updated_at timestamptz NOT NULL DEFAULT now())",
  );
  await database.query("CREATE INDEX ON accounts (updated_at)");
  await database.query("CREATE TABLE log (note text)");
  await database.query("INSERT INTO accounts SELECT g, 0 FROM generate_series(1, 1000) g");
  await database.query("INSERT INTO log SELECT 'n' || g FROM generate_series(1, 10) g");
  const lake = newLake(folder.path, duckdb);
  const context = ingestContext(lake, database.url);
  const pipeline = pipelineOf({
    accounts: { cursor: "updated_at", deletes: "compare" },
    log: { key: "none" },
  });

  // A transaction that is open while the load runs, with a row written by a subtransaction.
  const late = await database.connect();
  await late.query("BEGIN; UPDATE accounts SET balance = 5, updated_at = now() WHERE id = 5; SAVEPOINT a");
  await late.query("UPDATE accounts SET balance = 6, updated_at = now() WHERE id = 6");
  await late.query("INSERT INTO log VALUES ('late'); RELEASE a");
  await database.query("UPDATE accounts SET balance = 7, updated_at = now() WHERE id = 7");

  const loaded = await load(context, pipeline);
  expect(loaded.map((r) => [r.table, r.rows])).toEqual(
    expect.arrayContaining([
      ["bronze.accounts", 1000],
      ["bronze.log", 10],
    ]),
  );
  expect((await load(context, pipeline)).map((r) => r.status)).toEqual(["skipped", "skipped"]);
  expect((await sync(context, pipeline)).map((r) => r.status)).toEqual(["unchanged", "unchanged"]);

  await database.query("DELETE FROM accounts WHERE id = 9");
  await database.query("INSERT INTO accounts VALUES (1001, 1)");
  await late.query("COMMIT");
  await late.end();
  const synced = await sync(context, pipeline);
  expect(Object.fromEntries(synced.map((r) => [r.table, [r.rows, r.deleted]]))).toEqual({
    "bronze.accounts": [4, 1],
    "bronze.log": [1, 0],
  });
  expect(
    await queryTable(
      lake,
      "shop/bronze/accounts",
      "SELECT id, balance, _ingot_op AS op FROM t WHERE _ingot_op <> 'r' ORDER BY id",
    ),
  ).toEqual([
    { id: 5n, balance: 5, op: "u" },
    { id: 6n, balance: 6, op: "u" },
    { id: 9n, balance: null, op: "d" },
    { id: 1001n, balance: 1, op: "u" },
  ]);
  expect(
    await queryTable(lake, "shop/bronze/log", "SELECT count(*) AS n FROM t WHERE note = 'late'"),
  ).toEqual([{ n: 1n }]);
  expect((await sync(context, pipeline)).map((r) => r.status)).toEqual(["unchanged", "unchanged"]);
});

it("loads text that looks like CSV, quotes and line breaks and all, as it is", async () => {
  await database.query("CREATE TABLE texts (id bigint PRIMARY KEY, a text, b text)");
  // Pieces that make a parser lose its way, in an order that differs from row to row; about 20 MB.
  await database.query(`
    INSERT INTO texts
    SELECT g, string_agg(piece, '' ORDER BY md5(g::text || i)), CASE WHEN g % 3 = 0 THEN '' WHEN g % 3 = 1 THEN E'x,y\\n1,2' END
      FROM generate_series(1, 60000) g,
           unnest(ARRAY['x,y' || chr(10), '"', ',', chr(10), 'q,"' || chr(10), '""', chr(13) || chr(10), repeat('z', 200), '\\', 'é']) WITH ORDINALITY AS p(piece, i)
     GROUP BY g`);
  const lake = newLake(folder.path, duckdb);
  await load(ingestContext(lake, database.url), pipelineOf({ texts: {} }));
  const source = await database.query(
    "SELECT count(*)::int AS n, count(b)::int AS b, sum(length(a))::int AS length, md5(string_agg(md5(a || coalesce(b, 'null')), '' ORDER BY id)) AS hash FROM texts",
  );
  const mirror = await queryTable(
    lake,
    "shop/bronze/texts",
    "SELECT count(*)::INTEGER AS n, count(b)::INTEGER AS b, sum(length(a))::INTEGER AS length, md5(string_agg(md5(a || coalesce(b, 'null')), '' ORDER BY id)) AS hash FROM t",
  );
  expect(mirror).toEqual(source);
});
