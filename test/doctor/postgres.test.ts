import { beforeAll, expect, it } from "vitest";
import type { CheckResult } from "../../jobs/doctor/check.ts";
import { checkPostgres } from "../../jobs/doctor/postgres.ts";
import { checkServer, checkTransactions } from "../../jobs/doctor/postgres-server.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import type { PipelineDefinition, SourceTable } from "../../layers/definition/pipeline.ts";
import { useDatabase } from "../support/postgres.ts";
import { checkSource, withUser } from "./setup.ts";

const database = useDatabase();

const pipeline = (tables: Record<string, SourceTable>, name = "mine"): PipelineDefinition => ({
  name,
  source: { kind: "postgres", tables },
});

const check = (tables: Record<string, SourceTable>, url = database.url) => checkSource(url, pipeline(tables));

/** The database as a role without rights sees it. */
const asReader = () => withUser(database.url, "mere reader", "s3cret");

beforeAll(async () => {
  await database.query(`CREATE ROLE "mere reader" LOGIN PASSWORD 's3cret'`);
  await database.query("CREATE TABLE open (id bigint PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())");
  await database.query("CREATE INDEX ON open (at)");
  await database.query("GRANT SELECT ON open TO PUBLIC");
});

it("all is well", async () => {
  const results = await checkPostgres(database.url, [pipeline({ open: { cursor: "at" } })], {
    kind: "embedded",
  });
  expect(results.map(({ name, status }) => `${status} ${name}`)).toEqual([
    "ok Postgres",
    "ok snapshot",
    "ok change capture",
    "ok table public.open",
  ]);
  expect(results[0]?.found).toMatch(/^\d+.*as postgres, embedded$/);
  expect(results.at(-1)?.found).toContain("2 columns, key id, cursor at");
});

it("a role without rights is told the exact statements", async () => {
  await database.query('CREATE TABLE "Hidden" (id bigint PRIMARY KEY)');
  await database.query("CREATE SCHEMA closed");
  await database.query("CREATE TABLE closed.room (id bigint PRIMARY KEY)");
  await database.query("GRANT SELECT ON closed.room TO PUBLIC");
  const find = await check({ open: {}, Hidden: {}, room: { schema: "closed" } }, asReader());
  expect(find("table public.open")?.status).toBe("ok");
  const expected: Record<string, [CheckResult["status"], string]> = {
    "table public.Hidden": ["failed", 'GRANT SELECT ON "public"."Hidden" TO "mere reader";'],
    "table closed.room": ["failed", 'GRANT USAGE ON SCHEMA "closed" TO "mere reader";'],
  };
  // Loads and syncs by query need no right but to read.
  expect(find("change capture")).toMatchObject({
    status: "skipped",
    found: expect.stringContaining("the REPLICATION right for mere reader"),
  });
  for (const [check, [status, fix]] of Object.entries(expected)) {
    expect(find(check), check).toMatchObject({ status, fix: expect.stringContaining(fix) });
  }
  await database.query('GRANT SELECT ON "public"."Hidden" TO "mere reader"');
  await database.query('GRANT USAGE ON SCHEMA "closed" TO "mere reader"');
  const mended = await check({ Hidden: {}, room: { schema: "closed" } }, asReader());
  expect(mended("table public.Hidden")?.status).toBe("ok");
  expect(mended("table closed.room")?.status).toBe("ok");
});

it("a table goes by its name at the source, and a schema that is taken whole by its tables", async () => {
  await database.query(
    "CREATE SCHEMA whole; CREATE TABLE whole.first (id int PRIMARY KEY); CREATE TABLE whole.bag (a int)",
  );
  const find = await check({ renamed: { table: "open" } });
  expect(find("table public.open")?.status).toBe("ok");
  const source = { kind: "postgres" as const, tables: {}, discover: ["whole"] };
  const results = await checkPostgres(database.url, [{ name: "mine", source }]);
  expect(results.slice(3).map(({ name, status }) => `${status} ${name}`)).toEqual([
    "ok discover whole",
    "ok table whole.bag",
    "ok table whole.first",
  ]);
  const absent = { ...source, discover: ["absent"] };
  expect((await checkPostgres(database.url, [{ name: "mine", source: absent }])).at(-1)).toMatchObject({
    name: "discover absent",
    status: "failed",
  });
});

it("a missing table, and one without key", async () => {
  await database.query("CREATE TABLE keyless (note text)");
  const find = await check({ absent: {}, keyless: {} });
  expect(find("table public.absent")).toMatchObject({
    status: "failed",
    found: expect.stringContaining("public.open"),
    fix: expect.stringContaining("Check the name"),
  });
  expect(find("table public.keyless")).toMatchObject({
    status: "failed",
    fix: expect.stringContaining('ALTER TABLE "public"."keyless" ADD PRIMARY KEY'),
  });
  expect((await check({ keyless: { key: "none" } }))("table public.keyless")?.status).toBe("ok");
});

it("cursors that cannot be used, or cost more than they should", async () => {
  await database.query("CREATE TABLE plain (id int PRIMARY KEY, local timestamp)");
  await database.query("CREATE TABLE bare (id int PRIMARY KEY, at timestamptz NOT NULL)");
  const find = await check({ plain: { cursor: "local" }, bare: { cursor: "at" } });
  expect(find("table public.plain")).toMatchObject({ status: "failed" });
  expect(find("table public.bare")).toMatchObject({
    status: "warning",
    fix: 'CREATE INDEX CONCURRENTLY ON "public"."bare" ("at");',
  });
  expect((await check({ plain: { cursor: "gone" } }))("table public.plain")).toMatchObject({
    status: "failed",
    found: expect.stringContaining("gone"),
    fix: expect.stringContaining("pipeline"),
  });
});

it("rows that a policy hides", async () => {
  await database.query("CREATE TABLE guarded (id int PRIMARY KEY)");
  await database.query("GRANT SELECT ON guarded TO PUBLIC");
  await database.query("ALTER TABLE guarded ENABLE ROW LEVEL SECURITY");
  expect((await check({ guarded: {} }, asReader()))("table public.guarded")).toMatchObject({
    status: "failed",
    fix: expect.stringContaining('ALTER ROLE "mere reader" BYPASSRLS;'),
  });
  await database.query('ALTER ROLE "mere reader" BYPASSRLS');
  expect((await check({ guarded: {} }, asReader()))("table public.guarded")?.status).toBe("ok");
});

it("a table of two pipelines is checked for each", async () => {
  const results = await checkPostgres(database.url, [
    pipeline({ open: {} }),
    pipeline({ open: {} }, "other"),
  ]);
  const names = results.map(({ name }) => name).filter((name) => name.startsWith("table"));
  expect(names).toEqual(["table public.open (mine)", "table public.open (other)"]);
});

it("a transaction is long after an hour", () => {
  expect(checkTransactions({ oldestMinutes: 59 }, false)).toEqual([]);
  expect(checkTransactions({ oldestMinutes: null }, true)).toEqual([]);
  const fix = expect.stringContaining("pg_stat_activity");
  expect(checkTransactions({ oldestMinutes: 61 }, false)).toMatchObject([
    { status: "warning", found: expect.stringContaining("cursor"), fix },
  ]);
  expect(checkTransactions({ oldestMinutes: 61 }, true)).toMatchObject([
    { status: "warning", found: expect.stringContaining("a load waits"), fix },
  ]);
});

it("a pooler is known by the process id it greets with", async () => {
  const client = await connect(database.url);
  try {
    expect((await checkServer(client, false)).results).toHaveLength(1);
    Object.assign(client, { processID: 0 });
    const pooler = async (captures: boolean) => (await checkServer(client, captures)).results[1];
    expect(await pooler(false)).toMatchObject({ name: "pooler", status: "warning" });
    expect(await pooler(true)).toMatchObject({ name: "pooler", status: "failed" });
  } finally {
    await disconnect(client);
  }
});
