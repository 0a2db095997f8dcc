import { mkdir, readdir, writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { ingotCli, writeProject } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";
import { useDatabase } from "../support/postgres.ts";

const folder = useFolder();
const database = useDatabase();

/** A project folder of its own. */
async function project(
  ...rest: Parameters<typeof writeProject> extends [string, ...infer R] ? R : never
): Promise<string> {
  const path = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(path);
  await writeProject(path, ...rest);
  return path;
}

/** One clear message: what, the value, what to do; exit code 1 or 2; no stack, no secret. */
function expectMessage(
  result: { code: number | null; stderr: string; stdout: string },
  code: number,
  ...parts: readonly (string | RegExp)[]
): void {
  expect(result.stdout).toBe("");
  for (const part of parts) expect(result.stderr).toMatch(part);
  expect(result.stderr.match(/^error: /gm)).toHaveLength(1);
  expect(result.stderr).not.toMatch(/\n\s+at /);
  expect(result.code).toBe(code);
}

it("an unreachable database", async () => {
  const result = await ingotCli(await project("{ t: {} }"), ["load"], {
    DATABASE_URL: "postgres://u:s3cret@127.0.0.1:1/d",
  });
  expectMessage(result, 1, "cannot reach Postgres at 127.0.0.1:1/d", "ECONNREFUSED", "DATABASE_URL");
  expect(result.stderr).not.toContain("s3cret");
});

it("a wrong password", async () => {
  const url = new URL(database.url);
  url.password = "s3cret";
  const result = await ingotCli(await project("{ t: {} }"), ["load"], { DATABASE_URL: url.href });
  expectMessage(result, 1, "refused the user or the password", "postgres", "DATABASE_URL");
  expect(result.stderr).not.toContain("s3cret");
});

it("a missing table", async () => {
  await database.query("CREATE TABLE present (id int PRIMARY KEY)");
  const result = await ingotCli(await project("{ absent: {} }"), ["load"], { DATABASE_URL: database.url });
  expectMessage(result, 1, "no table public.absent", "public.present");
});

it("a table without a primary key", async () => {
  await database.query("CREATE TABLE keyless (note text)");
  const result = await ingotCli(await project("{ keyless: {} }"), ["load"], { DATABASE_URL: database.url });
  expectMessage(result, 1, "public.keyless has no primary key", 'key: "none"');
});

it("a lake that cannot be written", async () => {
  await database.query("CREATE TABLE IF NOT EXISTS present (id int PRIMARY KEY)");
  const path = await project("{ present: {} }");
  await writeFile(`${path}/file`, "not a folder");
  const environment = { DATABASE_URL: database.url, INGOT_LAKE: `${path}/file/lake` };
  expectMessage(await ingotCli(path, ["load"], environment), 1, "cannot write", "file/lake", "INGOT_LAKE");
});

it("a broken SQL model, and the table before it stays", async () => {
  await database.query("CREATE TABLE sold (id bigint PRIMARY KEY, what text)");
  await database.query("INSERT INTO sold VALUES (1, 'a')");
  const contract =
    'defineTable({ name: "sold", description: "sold", key: ["id"], columns: { id: long(), what: text() } })';
  const path = await project("{ sold: {} }", {
    name: "sold",
    contract,
    sql: "SELECT id, what FROM bronze.sold",
  });
  const environment = { DATABASE_URL: database.url };
  expect(await ingotCli(path, ["run", "--quiet"], environment)).toMatchObject({ code: 0, stderr: "" });
  await writeFile(`${path}/silver/sold.sql`, "SELECT id, wath FROM bronze.sold");
  const built = await ingotCli(path, ["build", "--quiet"], environment);
  expect(built.stdout).toMatch(/^mine: built nothing.*1 failed/);
  expectMessage({ ...built, stdout: "" }, 1, "silver.sold", "wath", "silver/sold.sql");
  const rows = await ingotCli(path, ["sql", "SELECT * FROM silver.sold", "--csv"], environment);
  expect(rows).toMatchObject({ code: 0, stdout: "id,what\n1,a\n" });
});

it.each([
  ["an unknown command", ["laod"], "unknown command 'laod'", "load"],
  ["an unknown option", ["load", "--fast"], "unknown option '--fast'", "--help"],
  ["an unknown pipeline", ["load", "others"], "no pipeline others", "mine"],
  ["a wrong number", ["simulate", "mine", "--rate", "many"], "many", "whole number"],
  ["a writing statement", ["sql", "CREATE TABLE x AS SELECT 1"], "only reading statements", "SELECT"],
  [
    "an explained writing statement",
    ["sql", "EXPLAIN ANALYZE CREATE TABLE x AS SELECT 1"],
    "only reading statements",
    "SELECT",
  ],
  ["two statements", ["sql", "SELECT 1; DROP VIEW x"], "only reading statements", "SELECT"],
  [
    "logging to a file",
    ["sql", "SELECT * FROM enable_logging('QueryLog', storage = 'file', storage_config = {'path': 'x'})"],
    "enable_logging()",
    "tables of the lake",
  ],
  [
    "a file outside of the lake",
    ["sql", "SELECT * FROM read_text('/etc/hostname')"],
    "read_text()",
    "tables of the lake",
  ],
  ["broken SQL", ["sql", "SELEC 1"], "SELEC", "error"],
  ["a table that is none", ["table", "cat", "/tmp"], "no Delta table", "_delta_log"],
])("%s", async (_name, args, ...parts) => {
  const result = await ingotCli(await project("{ present: {} }"), args, { DATABASE_URL: database.url });
  expectMessage(
    result,
    _name.startsWith("an unknown c") || _name.startsWith("an unknown o") || _name === "a wrong number"
      ? 2
      : 1,
    ...parts,
  );
});

it("a missing and a broken configuration", async () => {
  const empty = `${folder.path}/empty`;
  await mkdir(empty);
  expectMessage(await ingotCli(empty, ["status"]), 1, "no ingot.config.ts", "--config");
  await writeFile(`${empty}/ingot.config.ts`, "export default { pipelines: [ };");
  expectMessage(await ingotCli(empty, ["status"]), 1, "ingot.config.ts cannot be loaded");
  await writeFile(`${empty}/ingot.config.ts`, "export default { pipelines: [], thread: 2 };");
  expectMessage(await ingotCli(empty, ["status"]), 1, "ingot.config.ts");
  expect(await readdir(empty)).toEqual(["ingot.config.ts"]);
});

it("errors are JSON when asked", async () => {
  const result = await ingotCli(await project("{ absent: {} }"), ["load", "--json"], {
    DATABASE_URL: database.url,
  });
  expect(JSON.parse(result.stderr)).toMatchObject({ code: "POSTGRES_NO_TABLE", value: "public.absent" });
  expect(result.code).toBe(1);
});
