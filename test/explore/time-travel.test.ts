import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openExplorer } from "../../jobs/explore/explorer.ts";
import { appendRows } from "../../lakehouse/delta/change/append.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { makeLake } from "./explored-lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const runtime = await makeLake(folder.path, duckdb);
const log = join(runtime.lakeRoot, "mine/gold/daily/_delta_log");
// Version 0 on 10 January, version 1 on the 11th, version 2 on the 12th.
for (const file of readdirSync(log).filter((name) => /^\d+\.json$/.test(name))) {
  const time = new Date(Date.UTC(2026, 0, 10 + Number.parseInt(file, 10)));
  utimesSync(join(log, file), time, time);
}
const explorer = await openExplorer(runtime);
afterAll(() => explorer.close());

const rowsOf = async (sql: string) => (await explorer.execute(sql)).rows;

describe("a table at a version", () => {
  test.each([
    ["AT (VERSION => 0)", 0n],
    ["AT (VERSION => 1)", 4n],
    ["AT (VERSION => 2)", 3n],
    ["AT (VERSION => 3 - 2)", 4n],
    ["AT (VERSION => (SELECT max(i) FROM range(2) t(i)))", 4n],
    ["AT (TIMESTAMP => TIMESTAMPTZ '2026-01-10 00:00:00Z')", 0n],
    ["AT (TIMESTAMP => TIMESTAMPTZ '2026-01-11 12:00:00Z')", 4n],
    ["AT (TIMESTAMP => TIMESTAMPTZ '2026-01-12 01:59:59+02')", 4n],
    ["AT (TIMESTAMP => TIMESTAMPTZ '2026-01-12 02:00:00+02')", 3n],
    ["AT (TIMESTAMP => TIMESTAMP '2026-01-11 00:00:00')", 4n],
    ["AT (TIMESTAMP => DATE '2026-01-11' + INTERVAL 1 HOUR)", 4n],
    ["AT (TIMESTAMP => '2026-01-11T08:00:00Z')", 4n],
  ])("%s", async (clause, count) => {
    expect(await rowsOf(`SELECT count(*) FROM gold.daily ${clause}`)).toEqual([[count]]);
    expect(await rowsOf(`SELECT count(*) FROM mine.gold.daily ${clause}`)).toEqual([[count]]);
  });

  test("beside others of the same table, with and without alias", async () => {
    expect(
      await rowsOf(
        "SELECT old.day::VARCHAR FROM gold.daily AS old AT (VERSION => 1) LEFT JOIN gold.daily AS new USING (day) WHERE new.day IS NULL",
      ),
    ).toEqual([["2026-01-02"]]);
    expect(
      await rowsOf(
        "WITH gone AS (SELECT day FROM gold.daily AT (VERSION => 1) EXCEPT SELECT day FROM gold.daily) SELECT day::VARCHAR FROM gone",
      ),
    ).toEqual([["2026-01-02"]]);
  });

  test("has its columns under the names that a query without version uses", async () => {
    const qualified = "daily.revenue + gold.daily.revenue";
    expect(await rowsOf(`SELECT sum(${qualified}) FROM gold.daily AT (VERSION => 1)`)).toEqual([["18.00"]]);
    expect(await rowsOf(`SELECT sum(${qualified}) FROM gold.daily`)).toEqual([["15.00"]]);
  });

  test("in what is rewritten nothing else changes", async () => {
    const odd = `SELECT 170141183460469231731687303715884105727 AS huge, 0.10 AS tenth, 'it''s' AS "a""b", 1e300 AS wide,
      list_transform([1, 2], lambda x : x + 1) AS items, {'k': DATE '2026-01-01'} AS pair, INTERVAL 3 DAY AS span,
      row_number() OVER (ORDER BY day DESC) AS n, sum(revenue) FILTER (WHERE revenue > 1) OVER () AS total`;
    const plain = await explorer.execute(`${odd} FROM gold.daily QUALIFY n = 1`);
    const travelled = await explorer.execute(`${odd} FROM gold.daily AT (VERSION => 2) QUALIFY n = 1`);
    expect(travelled).toEqual(plain);
  });

  test.each([
    ["FROM gold.daily AT (VERSION => 3)", "SQL_BAD_VERSION"],
    ["FROM gold.daily AT (VERSION => -1)", "SQL_BAD_VERSION"],
    ["FROM gold.daily AT (VERSION => NULL)", "SQL_BAD_VERSION"],
    ["FROM gold.daily AT (VERSION => 'x')", "SQL_BAD_VERSION"],
    ["FROM gold.daily AT (VERSION => '1')", "SQL_BAD_VERSION"],
    ["FROM gold.daily AT (VERSION => 1.5)", "SQL_BAD_VERSION"],
    ["FROM gold.daily AT (TIMESTAMP => NULL)", "SQL_BAD_VERSION"],
    ["FROM gold.daily AT (VERSION => (SELECT n FROM other.gold.daily))", "SQL_BAD_VERSION"],
    ["FROM gold.daily AT (TIMESTAMP => TIMESTAMPTZ '2025-01-01 00:00:00Z')", "DELTA_NO_SUCH_TIME"],
    ["FROM gold.daily AT (TIMESTAMP => TIMESTAMPTZ '2999-01-01 00:00:00Z')", "DELTA_NO_SUCH_TIME"],
    ["FROM gold.daily AT (TIMESTAMP => 'infinity'::TIMESTAMPTZ)", "SQL_BAD_VERSION"],
    ["FROM information_schema.tables AT (VERSION => 1)", "SQL_TABLE_UNKNOWN"],
    ["WITH a AS (SELECT 1) FROM a AT (VERSION => 1)", "SQL_TABLE_UNKNOWN"],
    ["FROM gold.daly", "SQL_TABLE_UNKNOWN"],
    ["FROM silver.daily", "SQL_TABLE_UNKNOWN"],
    ["FROM daily", "SQL_TABLE_UNKNOWN"],
  ])("%s: %s", async (sql, code) => {
    await expect(explorer.execute(sql)).rejects.toMatchObject({ code });
  });

  test("a misspelt layer is told where the table is", async () => {
    await expect(explorer.execute("FROM silver.daily")).rejects.toMatchObject({
      allowed: "gold.daily, other.gold.daily",
      next: "Did you mean gold.daily?",
    });
  });
});

test("a misspelt table is told the nearest one, and a time before the first version that there is none", async () => {
  await expect(explorer.execute("FROM gold.dialy")).rejects.toMatchObject({
    next: "Did you mean gold.daily?",
  });
  await expect(explorer.execute("FROM gold.entirely_else")).rejects.toMatchObject({
    next: expect.stringContaining("lists the tables"),
  });
  const early = "FROM gold.daily AT (TIMESTAMP => TIMESTAMPTZ '2025-01-01 00:00:00Z')";
  await expect(explorer.execute(early)).rejects.toMatchObject({
    next: "The table is no older: its first version is of 2026-01-10T00:00:00.000Z.",
  });
});

test("SHOW TABLES lists the tables of the newest versions under the names that statements use", async () => {
  await explorer.execute("FROM gold.daily AT (VERSION => 1)");
  const names = (await rowsOf("show tables;")).map(([name]) => String(name));
  const listed = (await explorer.listTables()).map(({ name }) => name);
  expect(names).toEqual([...listed].sort());
  for (const name of names) await explorer.execute(`FROM ${name} LIMIT 0`);
});

test("versions stay pinned: what is committed later is not seen, by number neither", async () => {
  const pinned = await openExplorer(runtime);
  await appendRows(runtime.lake.table("other/gold/daily"), "SELECT 8 AS n");
  expect((await pinned.execute("SELECT n FROM other.gold.daily ORDER BY n")).rows).toEqual([[7n]]);
  await expect(pinned.execute("FROM other.gold.daily AT (VERSION => 2)")).rejects.toMatchObject({
    code: "SQL_BAD_VERSION",
  });
  await pinned.close();
  const opened = await openExplorer(runtime);
  expect((await opened.execute("SELECT n FROM other.gold.daily ORDER BY n")).rows).toEqual([[7n], [8n]]);
  await opened.close();
});
