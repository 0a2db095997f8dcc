import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { type Explorer, openExplorer } from "../../jobs/explore/explorer.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { makeLake } from "./explored-lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const runtime = await makeLake(folder.path, duckdb);
const explorer: Explorer = await openExplorer(runtime);
afterAll(() => explorer.close());

const secret = join(folder.path, "outside.csv");
writeFileSync(secret, "word\nHUSH\n");
const written = join(folder.path, "written");
const dataFile = readdirSync(join(runtime.lakeRoot, "mine/silver/people"), {
  recursive: true,
  encoding: "utf8",
})
  .filter((name) => name.endsWith(".parquet") && !name.includes("_delta_log"))
  .map((name) => join(runtime.lakeRoot, "mine/silver/people", name))[0] as string;
const quoted = dataFile.replaceAll("'", "''");
const id = (JSON.parse(readFileSync(join(runtime.lakeRoot, "_ingot/lake.json"), "utf8")) as { id: string })
  .id;

const FILES = [
  "FROM read_text('/etc/passwd')",
  "FROM main.read_text('/etc/passwd')",
  "FROM READ_BLOB('/etc/passwd')",
  "SELECT (SELECT content FROM read_text('/etc/passwd'))",
  "SELECT * FROM read_csv('/proc/self/environ')",
  "FROM '/etc/passwd'",
  "DESCRIBE '/etc/passwd'",
  "SUMMARIZE FROM '/etc/passwd'",
  "FROM glob('/etc/*')",
  "FROM read_parquet('s3://bucket/x.parquet')",
  "FROM 'https://example.com/x.csv'",
  "FROM read_json_auto('http://169.254.169.254/latest/meta-data')",
  "FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
  "FROM query_table('/etc/passwd')",
  "FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''/etc/passwd'')'))",
  "FROM histogram_values('/etc/passwd', column0)",
  "FROM sniff_csv('/etc/passwd')",
  "FROM parquet_metadata('x')",
  "FROM read_duckdb('x')",
  "FROM which_secret('s3://x', 's3')",
  "EXPLAIN ANALYZE FROM read_text('/etc/passwd')",
  "EXPLAIN (FORMAT json) FROM read_text('/etc/passwd')",
  "WITH t AS (FROM read_text('/etc/passwd')) FROM t",
  "FROM gold.daily AT (VERSION => (SELECT count(*) FROM read_text('/etc/passwd')))",
  "FROM gold.daily AT (TIMESTAMP => (SELECT content FROM read_text('/etc/passwd'))::TIMESTAMPTZ)",
  "SELECT * FROM gold.daily WHERE EXISTS (FROM read_text('/etc/passwd'))",
  "FROM gold.daily PIVOT (sum(revenue) FOR day IN (SELECT content FROM read_text('/etc/passwd')))",
];
const STATEMENTS = [
  `COPY gold.daily TO '${written}'`,
  `COPY (SELECT 1) TO '${written}'`,
  `ATTACH '${written}'`,
  "DETACH mine",
  "INSTALL httpfs",
  "LOAD httpfs",
  "SET enable_external_access = true",
  "SET GLOBAL lock_configuration = false",
  "RESET allowed_paths",
  "SET VARIABLE x = 1",
  "PRAGMA enable_profiling",
  "PRAGMA database_list",
  `PRAGMA import_database('${written}')`,
  "CALL enable_logging()",
  "CALL pragma_version()",
  "CHECKPOINT",
  "SELECT 1; DROP VIEW gold.daily",
  "SELECT 1; SELECT 2",
  "EXPLAIN SELECT 1; DROP VIEW gold.daily",
  "EXPLAIN DROP VIEW gold.daily",
  `EXPLAIN ANALYZE COPY gold.daily TO '${written}'`,
  "CREATE MACRO f() AS TABLE FROM read_text('/etc/passwd')",
  "CREATE TEMP TABLE t AS SELECT 1",
  "CREATE SECRET (TYPE s3)",
  "DROP VIEW gold.daily",
  "DELETE FROM gold.daily",
  "INSERT INTO gold.daily VALUES (DATE '2026-01-01', 1)",
  "UPDATE gold.daily SET revenue = 0",
  `EXPORT DATABASE '${written}'`,
  "PREPARE p AS SELECT 1",
  "EXECUTE p",
  "USE memory",
  "BEGIN",
  "VACUUM",
  "",
  "-- nothing",
];
const BEHIND_MASKS = [
  `FROM '${quoted}'`,
  `FROM read_parquet('${quoted}')`,
  `FROM parquet_scan('${quoted}')`,
  `FROM "${dataFile}"`,
  `SELECT * FROM (WITH "${dataFile}" AS (SELECT 1) SELECT 1), "${dataFile}"`,
  "SELECT * FROM (WITH duckdb_views AS (SELECT 1) SELECT 1), duckdb_views",
  "SELECT * FROM (WITH sqlite_master AS (SELECT 1) SELECT 1), sqlite_master",
  "FROM duckdb_views()",
  "FROM duckdb_views",
  "FROM system.main.duckdb_views",
  "FROM sqlite_master",
  "FROM pg_catalog.pg_views",
  "FROM pg_views",
  "SELECT pg_get_viewdef(0)",
  "FROM information_schema.views",
  'FROM "ingot:key".main.keys',
  'FROM "ingot:key".keys',
  'DESCRIBE "ingot:key".keys',
  "FROM duckdb_settings()",
  "FROM duckdb_secrets()",
  "FROM duckdb_variables()",
  "SELECT current_setting('allowed_paths')",
  "SELECT 'allowed_paths'.current_setting()",
  "SELECT getvariable('x')",
  "SELECT getenv('HOME')",
  "SELECT json_serialize_plan('FROM silver.people')",
  "SELECT stats(mail) FROM silver.people",
  "FROM sql_auto_complete('FROM')",
  "FROM pragma_show('silver.people')",
];

// What a statement before has opened is open for the next: the refusals are those of the guard, not of missing files.
await explorer.execute("FROM silver.people");

const REFUSALS = /^(SQL_READ_ONLY|SQL_REFUSED|SQL_TABLE_UNKNOWN|DUCKDB_SQL)$/;

describe("the explorer refuses", () => {
  test.each([...FILES, ...STATEMENTS, ...BEHIND_MASKS])("%s", async (sql) => {
    await expect(explorer.execute(sql)).rejects.toMatchObject({ code: expect.stringMatching(REFUSALS) });
    await expect(explorer.stream(sql)).rejects.toMatchObject({ code: expect.stringMatching(REFUSALS) });
    const file = join(folder.path, "never.parquet");
    await expect(explorer.writeParquet(sql, file)).rejects.toMatchObject({
      code: expect.stringMatching(REFUSALS),
    });
    expect([existsSync(file), existsSync(written)]).toEqual([false, false]);
  });

  test("to be led out of its parentheses", async () => {
    const file = join(folder.path, "out.parquet");
    for (const sql of [`SELECT 1) TO '${written}' (FORMAT csv); --`, `SELECT 1)) TO '${written}' --`])
      await expect(explorer.writeParquet(sql, file)).rejects.toMatchObject({ code: "DUCKDB_SQL" });
    expect(existsSync(written)).toBe(false);
  });
});

describe("even where the syntax tree would let it pass", () => {
  // What stands behind the list of functions: the engine itself.
  test("the engine opens no other file", async () => {
    const { openSandbox } = await import("../../jobs/explore/sandbox.ts");
    const { session, close } = await openSandbox(runtime, { views: [], key: id });
    for (const sql of [
      `FROM read_csv('${secret}')`,
      "FROM read_text('/etc/passwd')",
      `COPY (SELECT 1) TO '${written}'`,
      `ATTACH '${written}'`,
      "SET GLOBAL enable_external_access = true",
      "SET GLOBAL memory_limit = '100GB'",
      "LOAD httpfs",
      `FROM read_parquet('${quoted}')`,
    ])
      await expect(session.run(sql), sql).rejects.toThrow();
    close();
  });
});

describe("the explorer allows", () => {
  test.each([
    ["SELECT 1 AS n", [[1]]],
    ["  select 1 as n ; -- done", [[1]]],
    ["FROM gold.daily SELECT count(*)", [[3n]]],
    ["SELECT count(*) FROM mine.gold.daily", [[3n]]],
    ["SELECT n FROM other.gold.daily", [[7n]]],
    ["SELECT n FROM OTHER.Gold.DAILY", [[7n]]],
    [
      "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3) SELECT max(n) FROM r",
      [[3]],
    ],
    ["WITH a AS (SELECT 1 AS n), b AS (FROM a) SELECT n FROM B", [[1]]],
    ["SELECT sum(i) FROM range(4) t(i)", [[6n]]],
    ["SELECT x FROM (VALUES (1), (2)) v(x) ORDER BY ALL", [[1], [2]]],
    [`SELECT count(*), max("a""b") FROM bronze."odd ""table"".csv"`, [[8n, "it's 9"]]],
    ["SELECT table_name FROM information_schema.tables WHERE table_schema = 'silver'", [["people"]]],
    ["SELECT 'SELECT 1; SELECT 2' AS text", [["SELECT 1; SELECT 2"]]],
    ["SELECT count(*) > 0 FROM (SHOW ALL TABLES)", [[true]]],
  ])("%s", async (sql, rows) => expect((await explorer.execute(sql)).rows).toEqual(rows));

  test.each([
    "EXPLAIN FROM gold.daily",
    "EXPLAIN ANALYZE FROM gold.daily",
    "explain (format json) from gold.daily",
  ])("%s", async (sql) => {
    const { rows } = await explorer.execute(sql);
    expect(JSON.stringify(rows)).toMatch(/PARQUET/i);
  });

  test.each(["DESCRIBE gold.daily", "SHOW gold.daily", "SUMMARIZE gold.daily"])("%s", async (sql) => {
    expect((await explorer.execute(sql)).rows.map((row) => row[0])).toEqual(["day", "revenue"]);
  });

  test("no more than a screen takes", async () => {
    const many = await explorer.execute("SELECT * FROM range(20000)");
    expect([many.rows.length, many.truncated]).toEqual([10_000, true]);
    const wide = await explorer.execute("SELECT repeat('x', 1000000) FROM range(200)");
    expect(wide.truncated).toBe(true);
    expect(wide.rows.length).toBeLessThan(70);
    expect((await explorer.execute("SELECT * FROM range(10000)")).truncated).toBeUndefined();
  });

  test("no more time than it is given, and goes on after", async () => {
    const slow = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b";
    await expect(explorer.execute(slow, AbortSignal.timeout(100))).rejects.toMatchObject({
      code: "SQL_TIMEOUT",
    });
    const controller = new AbortController();
    const running = explorer.execute(slow, controller.signal);
    controller.abort();
    await expect(running).rejects.toMatchObject({ code: "SQL_STOPPED" });
    await expect(explorer.execute("SELECT 1", AbortSignal.abort())).rejects.toMatchObject({
      code: "SQL_STOPPED",
    });
    expect((await explorer.execute("SELECT 1")).rows).toEqual([[1]]);
  });

  test("no more memory than is configured", async () => {
    const greedy = "SELECT list(repeat('x', 1000) || range) FROM range(3000000)";
    await expect(explorer.execute(greedy)).rejects.toMatchObject({ code: "DUCKDB_OUT_OF_MEMORY" });
  });
});

describe("personal values", () => {
  const hidden = async (sql: string) => {
    const text = JSON.stringify((await explorer.execute(sql)).rows, (_, v) =>
      typeof v === "bigint" ? String(v) : v,
    );
    expect(text).not.toMatch(/secret/i);
    expect(text.replaceAll(/[^0-9a-f]/g, "")).not.toContain(id.replaceAll("-", ""));
    return text;
  };

  test.each([
    "FROM silver.people",
    "FROM silver.people AT (VERSION => 1)",
    "FROM silver.people AT (VERSION => 2)",
    "SUMMARIZE silver.people",
    "FROM bronze.people",
    "EXPLAIN FROM silver.people",
    "EXPLAIN ANALYZE FROM silver.people WHERE mail = 'x'",
    "EXPLAIN (FORMAT json) SELECT letters FROM silver.people AT (VERSION => 1)",
    "SELECT * FROM silver.people WHERE name LIKE 'Ann%'",
  ])("are hidden in %s", async (sql) => {
    await hidden(sql);
  });

  test("are hidden by the contract, as digests of the lake's own key", async () => {
    const { createHash } = await import("node:crypto");
    const digest = createHash("sha256").update(`${id}:a@secret`).digest("hex");
    expect((await explorer.execute("FROM silver.people ORDER BY id")).rows).toEqual([
      [1n, digest, "***", null, "Bern"],
      [2n, null, null, null, null],
    ]);
    // What the column was called, and a column that nobody knows any more.
    expect((await explorer.execute("FROM silver.people AT (VERSION => 1) ORDER BY id")).rows).toEqual([
      [1n, digest, "***", null, "Bern", "***"],
      [2n, null, null, null, null, null],
    ]);
  });

  test("are hidden in bronze by their names, and in what was set aside of a row", async () => {
    expect((await explorer.execute("SELECT id, name, city, _ingot_rescued FROM bronze.people")).rows).toEqual(
      [[1n, "***", "Bern", "***"]],
    );
  });

  test("are shown to those who may see them", async () => {
    const open = await openExplorer(runtime, { sensitive: true });
    expect((await open.execute("FROM silver.people AT (VERSION => 1) WHERE id = 1")).rows).toEqual([
      [1n, "a@secret", "Ann Secret", 41n, "Bern", "555-secret"],
    ]);
    await open.close();
  });
});
