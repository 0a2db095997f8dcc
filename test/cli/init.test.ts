import { mkdir, readdir, readFile } from "node:fs/promises";
import { beforeAll, expect, it } from "vitest";
import { ingotCli } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";
import { useDatabase } from "../support/postgres.ts";

const folder = useFolder();
const database = useDatabase();

beforeAll(() =>
  database.query(`
    CREATE TABLE people (id bigint PRIMARY KEY, name text NOT NULL, updated_at timestamptz NOT NULL);
    CREATE INDEX ON people (updated_at); INSERT INTO people VALUES (1, 'Ada', now());
    CREATE TABLE notes (what text)`),
);

async function fresh(): Promise<string> {
  const path = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(path);
  return path;
}

it("writes a project that runs as it is", async () => {
  const path = await fresh();
  const done = await ingotCli(path, ["init", "--from", database.url, "--name", "hr", "--changes", "query"]);
  expect(done).toMatchObject({ code: 0, stderr: "" });
  for (const part of [
    "hr, 2 tables",
    "people.sql",
    "***",
    "export DATABASE_URL=",
    "ingot doctor",
    "ingot load",
    "ingot run",
  ]) {
    expect(done.stdout).toContain(part);
  }
  const { password } = new URL(database.url);
  expect(done.stdout).not.toContain(password);
  const files = [
    "ingot.config.ts",
    "schemas/people.ts",
    "pipelines/hr/pipeline.ts",
    "pipelines/hr/silver/people.sql",
  ];
  for (const file of files) expect(await readFile(`${path}/${file}`, "utf8")).not.toContain(password);
  expect(await readFile(`${path}/pipelines/hr/pipeline.ts`, "utf8")).toContain(
    "export const hr = definePipeline({",
  );
  const environment = { DATABASE_URL: database.url };
  expect(await ingotCli(path, ["doctor"], environment)).toMatchObject({ code: 0 });
  expect(await ingotCli(path, ["load", "--quiet"], environment)).toMatchObject({ code: 0, stderr: "" });
  expect(await ingotCli(path, ["run", "--quiet"], environment)).toMatchObject({ code: 0, stderr: "" });
  const rows = await ingotCli(path, ["sql", "SELECT id, name FROM silver.people", "--csv"], environment);
  expect(rows.stdout).toBe("id,name\n1,Ada\n");

  const again = await ingotCli(path, ["init", "--force", "--name", "hr", "--json"], environment);
  expect(JSON.parse(again.stdout)).toMatchObject({ pipeline: "hr", written: true });
  const refused = await ingotCli(path, ["init", "--name", "hr"], environment);
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toContain("ingot.config.ts");
});

it("a dry run prints the files and writes none", async () => {
  const path = await fresh();
  const done = await ingotCli(path, ["init", "--dry-run", "--tables", "people"], {
    DATABASE_URL: database.url,
  });
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(done.stdout).toContain("CAST(updated_at AS TIMESTAMPTZ) AS updated_at");
  expect(done.stdout).toContain("4 files would be written");
  expect(await readdir(path)).toEqual([]);
});

it.each([
  ["no database", ["init"], "no database to look at", 1],
  ["another kind of database", ["init", "--from", "mysql://u:s3cret@h/d"], "postgres://", 2],
  ["no server", ["init", "--from", "postgres://u:s3cret@127.0.0.1:1/d"], "cannot reach Postgres", 1],
])("%s: one message, nothing written, no secret", async (_case, args, message, code) => {
  const path = await fresh();
  const { stderr, ...done } = await ingotCli(path, args);
  expect(done).toEqual({ code, stdout: "" });
  expect(stderr).toContain(message);
  expect(stderr).not.toContain("s3cret");
  expect(await readdir(path)).toEqual([]);
});
