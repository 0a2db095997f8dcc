import { mkdir } from "node:fs/promises";
import { beforeAll, expect, it } from "vitest";
import { ingotCli, writeProject } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";
import { useDatabase } from "../support/postgres.ts";

const folder = useFolder();
const database = useDatabase();
const project = `${folder.path}/project`;
const cli = (...args: string[]) => ingotCli(project, [...args, "--quiet"], { DATABASE_URL: database.url });

beforeAll(async () => {
  await database.query(
    "CREATE TABLE people (id bigint PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Ada'), (2, NULL)",
  );
  await mkdir(project);
  await writeProject(project, "{ people: {} }", {
    name: "people",
    contract: `defineTable({ name: "people", description: "x", key: ["id"], columns: { id: long(), name: text() } })`,
    sql: "SELECT id, name FROM bronze.people",
  });
  expect(await cli("load")).toMatchObject({ code: 0 });
  expect(await cli("build")).toMatchObject({ code: 0 });
});

it("drops rows only where somebody says so, and then says where they are", async () => {
  const refused = await cli("quarantine", "drop", "silver.people", "--json");
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(JSON.parse(refused.stderr)).toMatchObject({ code: "QUARANTINE_UNCONFIRMED", allowed: "--yes" });
  expect((await cli("quarantine", "ls")).stdout).toContain("mine.silver.people");
  const dropped = await cli("quarantine", "drop", "silver.people", "--yes");
  expect(dropped).toMatchObject({ code: 0, stdout: expect.stringContaining("in no table but bronze") });
  expect((await cli("quarantine", "ls")).stdout).not.toContain("every row");
  expect((await cli("sql", "SELECT id FROM silver.people", "--csv")).stdout).toBe("id\n1\n");
  expect(await cli("quarantine", "replay", "silver.people")).toMatchObject({ code: 0 });
  expect((await cli("quarantine", "show", "silver.people")).stdout).toContain("name.");
});
