import { expect, it } from "vitest";
import { ingotCli, writeProject } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";
import { useDatabase } from "../support/postgres.ts";

const folder = useFolder();
const database = useDatabase();

it("backfill plans, asks and reports; diff answers by its exit code; trace goes down to the source", async () => {
  await database.query("CREATE TABLE items (id bigint PRIMARY KEY, v text)");
  await database.query("INSERT INTO items SELECT g, 'v' || g FROM generate_series(1, 30) g");
  await writeProject(folder.path, "{ items: {} }", {
    name: "items",
    contract:
      'defineTable({ name: "items", description: "items", key: ["id"], columns: { id: long(), v: text().sensitive("mask") } })',
    sql: "SELECT id, v FROM bronze.items",
  });
  const ingot = (...args: string[]) => ingotCli(folder.path, args, { DATABASE_URL: database.url });
  expect((await ingot("run")).code).toBe(0);

  const range = ["silver.items", "--column", "id", "--from", "1", "--to", "21", "--chunk", "10"];
  const plan = await ingot("backfill", ...range, "--dry-run");
  expect(plan).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/mine\.silver\.items.*\n.*2 chunks of 10/),
  });
  expect(await ingot("backfill", ...range)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("--yes"),
  });
  const made = await ingot("backfill", ...range, "--yes", "--json");
  expect(JSON.parse(made.stdout)).toMatchObject({
    plan: { chunks: [{ from: "1", to: "11" }, { to: "21" }] },
    report: { model: "silver.items", chunks: 2, rowsIn: 20, rowsOut: 0 },
  });
  expect((await ingot("backfill", "silver.items", "--from", "1")).code).toBe(2);
  for (const [option, value] of [
    ["--concurrency", "0"],
    ["--pause", "soon"],
    ["--max-mb-per-second", "-1"],
  ] as const)
    expect(await ingot("backfill", ...range, option, value)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(option),
    });
  expect(await ingot("backfill", ...range, "--max-mb-per-second", "5")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("--pause"),
  });
  const paced = ["--concurrency", "2", "--pause", "10ms"];
  const beside = await ingot("backfill", ...range, ...paced, "--yes");
  expect(beside).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /2 chunks of 10, 2 at once, 10 ms of rest after each[\s\S]*0 of 20 rows written/,
    ),
  });
  const again = await ingot("backfill", "bronze.items", ...range.slice(1), "--yes", "--json");
  expect(JSON.parse(again.stdout)).toMatchObject({
    report: { table: "bronze.items", rowsIn: 20, rowsOut: 0 },
  });
  const limited = await ingot(
    "backfill",
    "bronze.items",
    ...range.slice(1),
    ...paced,
    "--max-mb-per-second",
    "5",
    "--yes",
  );
  expect(limited).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/2 chunks of 10, 2 connections, at most 5 MB\/s, 10 ms of rest after each/),
  });

  await database.query("UPDATE items SET v = 'secret' WHERE id = 5");
  expect((await ingot("run")).code).toBe(0);
  const differs = await ingot("diff", "silver.items");
  expect(differs).toMatchObject({ code: 1, stdout: expect.stringMatching(/same key, other values +1\b/) });
  expect(differs.stdout).not.toContain("secret");
  expect((await ingot("diff", "silver.items", "--sensitive")).stdout).toContain("secret");
  expect((await ingot("diff", "silver.items", "--columns", "id")).code).toBe(0);
  expect((await ingot("diff", "silver.items", "--with", "lake")).code).toBe(0);

  const traced = await ingot("trace", "mine.silver.items", "id=5", "--json", "--sensitive");
  expect(JSON.parse(traced.stdout)).toMatchObject({
    pipeline: "mine",
    published: [],
    root: {
      rows: 1,
      shown: [[5, "secret"]],
      inputs: [
        { table: "bronze.items", foundBy: "key", rows: 2, origins: [{ operation: "u" }, { operation: "r" }] },
      ],
    },
  });
  const shown = await ingot("trace", "silver.items", "id=5");
  expect(shown.stdout).toMatch(/└─ bronze\.items at version \d+, 2 rows[\s\S]*source taken up to/);
  expect(shown.stdout).not.toContain("secret");
  expect(await ingot("trace", "silver.nope", "id=5")).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("silver.items"),
  });
});
