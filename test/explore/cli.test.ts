import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { tableFromIPC } from "apache-arrow";
import { beforeAll, expect, test } from "vitest";
import { appendRows } from "../../lakehouse/delta/change/append.ts";
import { createTable } from "../../lakehouse/delta/create.ts";
import { field } from "../../lakehouse/delta/schema.ts";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { ingotCli, writeProject } from "../support/cli.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const project = join(folder.path, "project");
const BIN = new URL("../../bin/ingot.cjs", import.meta.url).pathname;

beforeAll(async () => {
  await mkdir(project);
  await writeProject(project, "{ t: {} }");
  const table = new DeltaTable(new LocalStore(join(project, "lake/mine/gold/things")), duckdb);
  await createTable(table, {
    schema: { type: "struct", fields: [field("id", "long"), field("city", "string")] },
  });
  await appendRows(table, "SELECT 1 AS id, 'Köln' AS city");
  await appendRows(table, "SELECT 2 AS id, 'Bern' AS city");
});

const cli = (...args: string[]) => ingotCli(project, args);

test("ingot sql --out writes a file by its ending, says so, and does not write over it", async () => {
  const sql = "FROM gold.things AT (VERSION => 1)";
  expect(await cli("sql", sql, "--out", "old.csv")).toMatchObject({
    code: 0,
    stdout: "",
    stderr: "old.csv: 1 rows\n",
  });
  expect(readFileSync(join(project, "old.csv"), "utf8")).toBe("id,city\n1,Köln\n");
  const again = await cli("sql", sql, "--out", "old.csv");
  expect([again.code, again.stderr.includes("--force")]).toEqual([1, true]);
  const forced = await cli("sql", "FROM gold.things", "--out", "old.csv", "--force", "--json");
  expect(JSON.parse(forced.stdout)).toEqual({ file: "old.csv", format: "csv", rows: 2 });
  expect((await cli("sql", sql, "--out", "data", "--format", "parquet", "--quiet")).stderr).toBe("");
  expect(readFileSync(join(project, "data")).subarray(0, 4).toString()).toBe("PAR1");
});

test("ingot sql --format arrow is a stream for a pipe", async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [BIN, "sql", "FROM gold.things ORDER BY id", "--format", "arrow"],
    { cwd: project, encoding: "buffer" },
  );
  expect(
    tableFromIPC(stdout)
      .toArray()
      .map((row) => row.toJSON()),
  ).toEqual([
    { id: 1n, city: "Köln" },
    { id: 2n, city: "Bern" },
  ]);
});

test.each([
  [["sql", "SELECT 1", "--format", "parquet"], /--out result.parquet/],
  [["sql", "SELECT 1", "--out", "result"], /--format/],
  [["sql", "--out", "result.csv"], /needs a statement/],
  [["sql", "SELECT 1", "--timeout", "soon"], /30s/],
  [
    [
      "sql",
      "SELECT a.range FROM range(10000000) a, range(1000000) b WHERE a.range + b.range < 0",
      "--timeout",
      "50ms",
    ],
    /longer/,
  ],
  [["sql", "COPY gold.things TO 'stolen.csv'"], /reading/],
  [["export", "duckdb", "x.duckdb", "--pipeline", "nope"], /no pipeline nope/],
])("%j is refused", async (args, message) => {
  const { code, stderr } = await cli(...args);
  expect(code).toBeGreaterThan(0);
  expect(stderr).toMatch(message);
  for (const file of ["result", "result.csv", "stolen.csv", "x.duckdb"])
    expect(existsSync(join(project, file))).toBe(false);
});

test("ingot export duckdb lists what it has written", async () => {
  const { code, stdout } = await cli("export", "duckdb", "lake.duckdb", "--json");
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    file: "lake.duckdb",
    tables: [{ name: "gold.things", version: 2, as: "view" }],
  });
  await writeFile(join(project, "taken.duckdb"), "");
  expect((await cli("export", "duckdb", "taken.duckdb")).code).toBe(1);
  expect(readFileSync(join(project, "taken.duckdb"), "utf8")).toBe("");
});
