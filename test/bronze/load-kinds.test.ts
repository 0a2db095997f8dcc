import { expect, it } from "vitest";
import { load, sync } from "../../layers/bronze/ingest.ts";
import { postgres, type SourceTable } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";
import { DIVIDES } from "./large-table.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

/** Small enough to cut every table of these tests into several ranges. */
const RANGE = 10 * 8192;

/** Loads tables in small ranges; answers what came and a way to look at it. */
async function loaded(tables: Readonly<Record<string, SourceTable>>) {
  const lake = newLake(folder.path, duckdb);
  const pipeline = { name: "p", source: postgres({ tables }) };
  const context = ingestContext(lake, database.url);
  const reports = await load(context, pipeline, { rangeBytes: RANGE });
  return {
    reports,
    sync: () => sync(context, pipeline),
    rows: (table: string, sql: string) => queryTable(lake, `p/bronze/${table}`, sql),
    versions: async (table: string) => (await lake.table(`p/bronze/${table}`).existingSnapshot()).version + 1,
  };
}

const DIGEST = "count(*)::INTEGER AS n, md5(string_agg(concat_ws(',', id, a, b), ';' ORDER BY id)) AS md5";

it("partitions whose columns stand in another order, partitions of partitions, and empty ones", async () => {
  await database.query(
    "CREATE TABLE parts (id bigint PRIMARY KEY, a text, b integer) PARTITION BY RANGE (id)",
  );
  await database.query("CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (3000)");
  await database.query("CREATE TABLE parts_2 (gone text, b integer, id bigint NOT NULL, a text)");
  await database.query("ALTER TABLE parts_2 DROP gone");
  await database.query("ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (3000) TO (6000)");
  await database.query(
    "CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (6000) TO (9000) PARTITION BY HASH (id)",
  );
  for (const r of [0, 1])
    await database.query(
      `CREATE TABLE parts_3_${r} PARTITION OF parts_3 FOR VALUES WITH (modulus 2, remainder ${r})`,
    );
  await database.query("CREATE TABLE parts_4 PARTITION OF parts DEFAULT");
  await database.query("INSERT INTO parts SELECT g, 'a' || g, g % 7 FROM generate_series(1, 8000) g");
  const result = await loaded({ parts: {} });
  expect(result.reports[0]?.rows).toBe(8000);
  expect(await result.versions("parts")).toBeGreaterThan(3);
  expect(await result.rows("parts", `SELECT ${DIGEST} FROM t`)).toEqual(
    await database.query(`SELECT ${DIGEST} FROM parts`),
  );
  expect((await result.sync())[0]?.status).toBe("unchanged");
});

it("partitions that only their parent lets a user read", async () => {
  await database.query(
    "CREATE TABLE shut (id bigint PRIMARY KEY, a text, b integer) PARTITION BY RANGE (id)",
  );
  await database.query("CREATE TABLE shut_1 PARTITION OF shut FOR VALUES FROM (0) TO (9000)");
  await database.query("CREATE TABLE shut_2 PARTITION OF shut DEFAULT");
  await database.query("INSERT INTO shut SELECT g, 'a', 1 FROM generate_series(1, 5000) g");
  await database.query("CREATE ROLE outsider LOGIN PASSWORD 'outsider'; GRANT SELECT ON shut TO outsider");
  const url = new URL(database.url);
  [url.username, url.password] = ["outsider", "outsider"];
  const pipeline = { name: "p", source: postgres({ tables: { shut: {} } }) };
  const context = ingestContext(newLake(folder.path, duckdb), url.href);
  expect(await load(context, pipeline, { rangeBytes: RANGE })).toMatchObject([{ rows: 5000, version: 0 }]);
});

it("a table with the rows of its children", async () => {
  await database.query("CREATE TABLE family (id bigint PRIMARY KEY, a text, b integer)");
  await database.query("CREATE TABLE child (c text) INHERITS (family)");
  await database.query("CREATE TABLE grandchild (b integer, d text, id bigint, a text) INHERITS (child)");
  for (const [i, name] of ["family", "child", "grandchild"].entries()) {
    await database.query(
      `INSERT INTO ${name} (id, a, b) SELECT g, 'a' || g, $1 FROM generate_series($1 * 2000, $1 * 2000 + 1999) g`,
      [i],
    );
  }
  const result = await loaded({ family: {} });
  expect(await result.versions("family")).toBeGreaterThan(DIVIDES ? 3 : 1);
  expect(await result.rows("family", `SELECT ${DIGEST} FROM t`)).toEqual(
    await database.query(`SELECT ${DIGEST} FROM family`),
  );
});

it("materialised views and views, which a sync brings up to date", async () => {
  await database.query("CREATE TABLE base (id bigint PRIMARY KEY, a text, b integer)");
  await database.query("INSERT INTO base SELECT g, 'a' || g, g % 7 FROM generate_series(1, 3000) g");
  await database.query("CREATE MATERIALIZED VIEW kept AS SELECT * FROM base");
  await database.query("CREATE VIEW seen AS SELECT id, a, b * 2 AS b FROM base");
  await database.query("CREATE VIEW bare AS SELECT b FROM base WHERE b < 2");
  const result = await loaded({
    kept: { key: ["id"], deletes: "compare" },
    seen: { key: ["id"], deletes: "compare" },
    bare: { key: "none" },
  });
  expect(await result.versions("kept")).toBeGreaterThan(DIVIDES ? 2 : 0);
  expect(await result.versions("seen")).toBe(1);
  expect((await result.sync()).map((report) => report.status)).toEqual([
    "unchanged",
    "unchanged",
    "unchanged",
  ]);
  await database.query(
    "UPDATE base SET a = 'new' WHERE id = 5; DELETE FROM base WHERE id = 7; INSERT INTO base VALUES (0, NULL, 1)",
  );
  await database.query("REFRESH MATERIALIZED VIEW kept");
  const synced = new Map((await result.sync()).map((report) => [report.table, report]));
  expect(synced.get("bronze.seen")).toMatchObject({ rows: 3, deleted: 1 });
  expect(synced.get("bronze.bare")).toMatchObject({ rows: 1 });
  for (const table of ["kept", "seen"]) {
    const newest = "FROM t QUALIFY row_number() OVER (PARTITION BY id ORDER BY _ingot_lsn DESC) = 1";
    expect(await result.rows(table, `SELECT ${DIGEST} FROM (${newest}) WHERE _ingot_op <> 'd'`)).toEqual(
      await database.query(`SELECT ${DIGEST} FROM ${table}`),
    );
  }
});

it("a table without key, all of its ranges in one commit", async () => {
  await database.query("CREATE TABLE keyless (id integer, a text, b integer)");
  await database.query("INSERT INTO keyless SELECT g % 100, 'a', 1 FROM generate_series(1, 9000) g");
  const result = await loaded({ keyless: { key: "none" } });
  expect(result.reports).toMatchObject([{ rows: 9000, version: 0 }]);
  expect(await result.rows("keyless", "SELECT count(*)::INTEGER AS n FROM t")).toEqual([{ n: 9000 }]);
});

it("odd names, in odd schemas", async () => {
  await database.query('CREATE SCHEMA "Größe ""x"" .y"');
  await database.query(
    `CREATE TABLE "Größe ""x"" .y"."tä'b;le" ("Sch""lüssel" bigint PRIMARY KEY, "select" text, "💡 a,b" text)`,
  );
  await database.query(
    `INSERT INTO "Größe ""x"" .y"."tä'b;le" SELECT g, 's' || g, '💡' FROM generate_series(1, 5000) g`,
  );
  const result = await loaded({ odd: { schema: 'Größe "x" .y', table: "tä'b;le" } });
  expect(result.reports[0]?.rows).toBe(5000);
  expect(
    await result.rows("odd", `SELECT "Sch""lüssel", "select", "💡 a,b" FROM t WHERE "select" = 's77'`),
  ).toEqual([{ 'Sch"lüssel': 77n, select: "s77", "💡 a,b": "💡" }]);
});

it("an empty table, and generated columns", async () => {
  await database.query("CREATE TABLE void (id bigint PRIMARY KEY)");
  await database.query(
    "CREATE TABLE sums (id bigint PRIMARY KEY, twice bigint GENERATED ALWAYS AS (id * 2) STORED, n int GENERATED ALWAYS AS IDENTITY)",
  );
  await database.query("INSERT INTO sums SELECT g FROM generate_series(1, 3000) g");
  const result = await loaded({ void: {}, sums: {} });
  expect(new Map(result.reports.map((report) => [report.table, report.rows]))).toEqual(
    new Map([
      ["bronze.void", 0],
      ["bronze.sums", 3000],
    ]),
  );
  expect(
    await result.rows("sums", "SELECT count(*)::INTEGER AS n FROM t WHERE twice = 2 * id AND n IS NOT NULL"),
  ).toEqual([{ n: 3000 }]);
  await database.query("INSERT INTO void VALUES (1)");
  expect((await result.sync()).map((report) => report.rows).sort()).toEqual([0, 1]);
});

it("a table of a thousand columns", async () => {
  const columns = Array.from(
    { length: 999 },
    (_, i) => `c${i} ${i % 3 === 0 ? "text" : i % 3 === 1 ? "integer" : "timestamptz"}`,
  );
  await database.query(`CREATE TABLE wide (id bigint PRIMARY KEY, ${columns.join(", ")})`);
  await database.query(
    "INSERT INTO wide (id, c0, c1, c998) SELECT g, 'first', g, '2026-01-01' FROM generate_series(1, 20000) g",
  );
  const result = await loaded({ wide: {} });
  expect(
    await result.rows(
      "wide",
      "SELECT count(*)::INTEGER AS n, sum(c1)::INTEGER AS s, count(c998)::INTEGER AS last FROM t",
    ),
  ).toEqual([{ n: 20000, s: 200010000, last: 20000 }]);
});
