import { mkdir, writeFile } from "node:fs/promises";
import { expect, it } from "vitest";
import type { CheckResult } from "../../jobs/doctor/check.ts";
import { examine } from "../../jobs/doctor/examine.ts";
import { renderCheck, renderSummary } from "../../jobs/doctor/render.ts";
import { lakeRootOf } from "../../jobs/runtime.ts";
import { styleFor } from "../../jobs/terminal/style.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { type Config, parseConfig } from "../../layers/definition/config.ts";
import { useFolder } from "../support/folder.ts";
import { useDatabase } from "../support/postgres.ts";

const folder = useFolder();
const database = useDatabase();

/** Examines an installation; `text` is all that a terminal shows of it. */
async function examineWith(settings: Partial<Config>) {
  const pipelines = [{ name: "mine", source: { kind: "postgres", tables: { users: {} } } }];
  const config = parseConfig({ pipelines, lake: `${folder.path}/lake`, ...settings }, {}, "ingot.config.ts");
  const lines: string[] = [];
  const style = styleFor(false);
  const results = await examine(
    {
      loadConfig: async () => ({ config, file: `${folder.path}/ingot.config.ts`, folder: folder.path }),
      lakeRoot: lakeRootOf,
      database: async () => config.database ?? database.url,
    },
    (result) => lines.push(renderCheck(result, style)),
  );
  const statusOf = (name: string) => results.find((result) => result.name === name)?.status;
  return { results, statusOf, text: lines.join("") + renderSummary(results, style) };
}

it("an installation that is well, with the embedded database", async () => {
  await database.query("CREATE TABLE IF NOT EXISTS users (id bigint PRIMARY KEY)");
  const { results, text } = await examineWith({});
  expect(results.filter(({ status }) => status !== "ok").map(({ name }) => name)).toEqual(["Redis"]);
  expect(text).toMatch(/✔ Postgres .* embedded\n/);
  expect(text).toMatch(/– Redis .* embedded target/);
  expect(text).toMatch(/\nReady\n$/);
  expect(text).not.toContain(new URL(database.url).password);
});

it("a wrong password: what hangs on it is skipped, the rest is checked", async () => {
  const url = new URL(database.url);
  url.password = "s3cret";
  const { statusOf, text } = await examineWith({ database: url.href });
  expect(text).toContain("refused the user or the password");
  const statuses = ["lake", "Postgres", "change capture", "table public.users", "Redis"].map(statusOf);
  expect(statuses).toEqual(["ok", "failed", "skipped", "skipped", "skipped"]);
  expect(text).toMatch(/\n1 failed\n$/);
  expect(text).not.toContain("s3cret");
});

it("a port where nobody listens, for Postgres and Redis, and a lake below a file", async () => {
  await mkdir(folder.path, { recursive: true });
  await writeFile(`${folder.path}/file`, "");
  const { statusOf, text } = await examineWith({
    database: "postgres://user:s3cret@127.0.0.1:1/shop",
    redis: "redis://:s3cret@127.0.0.1:1",
    lake: "./file/lake",
  });
  expect(["lake", "Postgres", "Redis"].map(statusOf)).toEqual(["failed", "failed", "failed"]);
  expect(text).toContain("cannot reach Postgres at 127.0.0.1:1/shop (ECONNREFUSED)");
  // Who reads this is there already.
  expect(text).not.toContain("ingot doctor");
  expect(text).not.toContain("s3cret");
});

it("a lake on storage that is not there yet does not keep the rest from being checked", async () => {
  const { statusOf } = await examineWith({ lake: "gopher://bucket/lake" });
  expect(["DuckDB", "lake", "Postgres"].map(statusOf)).toEqual(["ok", "failed", "ok"]);
});

it("a broken configuration is the one failure, and its secrets stay out", async () => {
  const told: CheckResult[] = [];
  const unused = () => {
    throw new Error("not reached");
  };
  const results = await examine(
    {
      loadConfig: async () => {
        throw new TerminalError('"database" cannot be used: postgres://u:s3cret@host/d', {
          code: "CONFIG_INVALID",
          allowed: "an address",
          next: "Correct ingot.config.ts.",
        });
      },
      lakeRoot: unused,
      database: unused,
    },
    (result) => told.push(result),
  );
  expect(told).toEqual(results);
  expect(results.map(({ name, status }) => `${status} ${name}`)).toEqual([
    "failed configuration",
    "skipped DuckDB",
    "skipped lake",
    "skipped Postgres",
    "skipped Redis",
  ]);
  expect(results[0]).toMatchObject({ fix: "Correct ingot.config.ts." });
  expect(JSON.stringify(results)).not.toContain("s3cret");
});
