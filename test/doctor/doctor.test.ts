import { mkdir, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { CheckResult } from "../../jobs/doctor/check.ts";
import { checkRedis } from "../../jobs/doctor/redis.ts";
import { ingotCli, writeProject } from "../support/cli.ts";
import { useFolder } from "../support/folder.ts";
import { useDatabase } from "../support/postgres.ts";
import { redisAvailable, useRedis } from "../support/redis.ts";
import { withUser } from "./setup.ts";

const folder = useFolder();
const database = useDatabase();

async function doctor(tables: string, environment: Record<string, string>) {
  const path = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(path);
  await writeProject(path, tables);
  await writeFile(`${path}/file`, "");
  const result = await ingotCli(path, ["doctor", "--json"], environment);
  const { ok, checks } = JSON.parse(result.stdout) as { ok: boolean; checks: CheckResult[] };
  expect(result.code).toBe(ok ? 0 : 1);
  return { ok, output: result.stdout, find: (name: string) => checks.find((check) => check.name === name) };
}

/** Tables of a pipeline that captures their changes. */
const captured = (tables: string) => `${tables}, changes: "wal"`;

it("finds nothing wrong where nothing is", async () => {
  await database.query("CREATE TABLE fine (id bigint PRIMARY KEY)");
  const { ok, find } = await doctor(captured("{ fine: {} }"), { DATABASE_URL: database.url });
  expect(ok).toBe(true);
  const names = [
    "configuration",
    "DuckDB",
    "lake",
    "Postgres",
    "wal_level",
    "slot ingot_mine",
    "table public.fine",
  ];
  for (const name of names) {
    expect(find(name)?.status, name).toBe("ok");
  }
  expect(find("Redis")?.status).toBe("skipped");
});

it("says how to fix what fails: rights, keys, tables, lake", async () => {
  await database.query("CREATE TABLE hidden (id bigint PRIMARY KEY)");
  await database.query("CREATE TABLE keyless (note text)");
  await database.query("CREATE ROLE weak LOGIN PASSWORD 's3cret'");
  const { ok, find, output } = await doctor(captured("{ hidden: {}, keyless: {}, absent: {} }"), {
    DATABASE_URL: withUser(database.url, "weak", "s3cret"),
    INGOT_LAKE: "file/lake",
  });
  expect(ok).toBe(false);
  expect(find("lake")).toMatchObject({ status: "failed", fix: expect.stringContaining("INGOT_LAKE") });
  expect(find("replication right")).toMatchObject({
    status: "failed",
    fix: expect.stringContaining('ALTER ROLE "weak"'),
  });
  expect(find("table public.hidden")).toMatchObject({
    status: "failed",
    fix: expect.stringContaining("GRANT SELECT"),
  });
  expect(find("table public.absent")).toMatchObject({ status: "failed" });
  expect(output).not.toContain("s3cret");
});

it("says what keeps it from the database and from Redis, without passwords", async () => {
  const wrong = new URL(database.url);
  wrong.password = "s3cret";
  const refused = await doctor("{ t: {} }", {
    DATABASE_URL: wrong.href,
    REDIS_URL: "redis://:s3cret@127.0.0.1:1",
  });
  expect(refused.find("Postgres")?.found).toContain("refused the user or the password");
  expect(refused.find("Redis")?.found).toContain("ECONNREFUSED");
  expect(refused.output).not.toContain("s3cret");
});

describe.skipIf(!redisAvailable)("with Redis", () => {
  const redis = useRedis();

  it("checks that it can be written, and that it keeps what is written", async () => {
    expect(await checkRedis(redis.url)).toMatchObject([{ name: "Redis", status: "ok" }]);
    await redis.client.config("SET", "maxmemory-policy", "allkeys-lru");
    expect((await checkRedis(redis.url)).map((check) => check.status)).toEqual(["ok", "warning"]);
  });
});
