import { expect, it } from "vitest";
import { ingotCli, writeProject } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";
import { useDatabase } from "../support/postgres.ts";

const folder = useFolder();
const database = useDatabase();

it("verify says what differs with exit code 1, repairs it, and then agrees", async () => {
  await database.query("CREATE TABLE items (id bigint PRIMARY KEY, v text)");
  await database.query("INSERT INTO items SELECT g, 'v' || g FROM generate_series(1, 300) g");
  await writeProject(folder.path, "{ items: {} }");
  const ingot = (...args: string[]) => ingotCli(folder.path, args, { DATABASE_URL: database.url });

  const first = await ingot("verify");
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/mine\.bronze\.items .*same[\s\S]*agrees/),
  });
  await database.query("DELETE FROM items WHERE id IN (5, 250)");
  const second = await ingot("verify", "items", "--range-rows", "100");
  expect(second.code).toBe(1);
  expect(second.stdout).toMatch(/different[\s\S]*keys before \d+: 1 extra[\s\S]*keys from \d+: 1 extra/);
  expect(second.stdout).toMatch(
    /for example {"id":5} {"id":250}[\s\S]*ingot verify --repair[\s\S]*deletes: "compare"/,
  );

  const third = await ingot("verify", "mine.bronze.items", "--repair", "--json");
  expect(third.code).toBe(0);
  expect(JSON.parse(third.stdout)).toMatchObject({
    ok: true,
    tables: [{ pipeline: "mine", table: "bronze.items", status: "repaired", extra: 2, repaired: 2 }],
  });
  expect((await ingot("verify", "bronze.items")).code).toBe(0);

  const unknown = await ingot("verify", "other");
  expect(unknown).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("other") });
  const nothing = await ingot("verify", "--range-rows", "0");
  expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining("1 or more") });
});
