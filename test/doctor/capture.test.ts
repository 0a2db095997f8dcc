/** What the doctor says of pipelines that capture changes. */
import { beforeAll, describe, expect, it } from "vitest";
import { type CaptureNeeds, checkCapture } from "../../jobs/doctor/capture-server.ts";
import { checkSelected } from "../../jobs/doctor/capture-source.ts";
import { checkPostgres } from "../../jobs/doctor/postgres.ts";
import { checkServer, type Server } from "../../jobs/doctor/postgres-server.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { type PipelineDefinition, type PostgresSource, postgres } from "../../layers/definition/pipeline.ts";
import { useDatabase } from "../support/postgres.ts";
import { checkSource, withUser } from "./setup.ts";

const database = useDatabase();

const capturing = (
  tables: PostgresSource["tables"],
  options: Partial<PostgresSource> = {},
): PipelineDefinition => ({ name: "mine", source: postgres({ changes: "wal", tables, ...options }) });

const check = (pipeline: PipelineDefinition, url = database.url) => checkSource(url, pipeline);

beforeAll(async () => {
  await database.query(`CREATE ROLE weak LOGIN PASSWORD 's3cret'`);
  await database.query("CREATE TABLE open (id bigint PRIMARY KEY); GRANT SELECT ON open TO PUBLIC");
});

const asWeak = () => withUser(database.url, "weak", "s3cret");

describe("the database", () => {
  it("is well but for a limit, which an embedded server can do without; nothing is left in it", async () => {
    const pipelines = [capturing({ open: {} })];
    const results = await checkPostgres(database.url, pipelines, { kind: "embedded" });
    expect(results.map(({ name, status }) => `${status} ${name}`)).toEqual([
      "ok Postgres",
      "ok snapshot",
      "ok wal_level",
      "ok replication right",
      "ok replication slots",
      "ok WAL senders",
      "ok WAL kept for slots",
      "ok wal_sender_timeout",
      "ok slot ingot_mine",
      "ok publication ingot_mine",
      "ok table public.open",
    ]);
    const other = await checkPostgres(database.url, pipelines);
    expect(other.filter(({ status }) => status !== "ok")).toMatchObject([
      {
        name: "WAL kept for slots",
        status: "warning",
        fix: expect.stringContaining("max_slot_wal_keep_size"),
      },
    ]);
    expect(await database.query("SELECT FROM pg_publication")).toEqual([]);
    expect(await database.query("SELECT FROM pg_replication_slots")).toEqual([]);
  });

  it("tells a role without rights the exact statements, and they are enough", async () => {
    const pipeline = capturing({ open: {} });
    const unequipped = await check(pipeline, asWeak());
    expect(unequipped("replication right")).toMatchObject({
      status: "failed",
      fix: expect.stringMatching(/ALTER ROLE "weak" REPLICATION;\n.*GRANT rds_replication TO "weak";/),
    });
    const publication = unequipped("publication ingot_mine");
    expect(publication).toMatchObject({
      status: "failed",
      fix: expect.stringContaining('CREATE PUBLICATION "ingot_mine" FOR TABLE "public"."open"'),
    });
    await database.query("ALTER ROLE weak REPLICATION");
    // What it is told to run as owner of the tables.
    const fix = (await check(pipeline, asWeak()))("publication ingot_mine")?.fix ?? "";
    for (const name of ["ingot_mine", "ingot_mine_inserts"])
      expect(fix).toContain(`CREATE PUBLICATION "${name}"`);
    await database.query(/CREATE PUBLICATION.*/.exec(fix)?.[0] ?? "");
    const equipped = await check(pipeline, asWeak());
    expect(equipped("replication right")?.status).toBe("ok");
    expect(equipped("publication ingot_mine")).toMatchObject({ status: "ok" });
    await database.query("DROP PUBLICATION ingot_mine; DROP PUBLICATION ingot_mine_inserts");
  });

  it("says what a publication leaves out", async () => {
    await database.query("CREATE PUBLICATION part FOR TABLE open WITH (publish = 'insert')");
    const find = await check(capturing({ open: {} }, { wal: { publication: "part" } }));
    expect(find("publication part")).toMatchObject({
      status: "failed",
      fix: expect.stringContaining("publish = 'insert, update, delete, truncate'"),
    });
  });

  it("looks at each table as its changes would come", async () => {
    await database.query(`CREATE TABLE nameless (id int PRIMARY KEY); ALTER TABLE nameless REPLICA IDENTITY NOTHING;
      CREATE TABLE "Other" (id int PRIMARY KEY, code text NOT NULL UNIQUE);
      CREATE TABLE keyless (note text); CREATE TABLE whole (note text); ALTER TABLE whole REPLICA IDENTITY FULL;
      CREATE TABLE computed (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (2 * n) STORED);
      CREATE VIEW seen AS SELECT 1 AS id`);
    const find = await check(
      capturing({
        nameless: {},
        Other: { key: ["code"] },
        keyless: { key: "none" },
        whole: { key: "none" },
        computed: {},
        seen: { key: ["id"] },
      }),
    );
    expect(find("table public.nameless")).toMatchObject({
      status: "failed",
      fix: 'ALTER TABLE "public"."nameless" REPLICA IDENTITY DEFAULT;',
    });
    expect(find("table public.Other")).toMatchObject({
      status: "failed",
      fix: expect.stringContaining('ALTER TABLE "public"."Other" REPLICA IDENTITY FULL;'),
    });
    expect(find("table public.keyless")).toMatchObject({
      status: "warning",
      fix: expect.stringContaining('ALTER TABLE "public"."keyless" REPLICA IDENTITY FULL;'),
    });
    expect(find("table public.whole")).toMatchObject({ status: "ok" });
    expect(find("table public.computed")).toMatchObject({
      status: "ok",
      found: expect.stringContaining("1 computed left out"),
    });
    expect(find("table public.seen")).toMatchObject({
      status: "failed",
      fix: expect.stringContaining('`changes: "query"`'),
    });
    expect((await check(capturing({ keyless: {} })))("table public.keyless")).toMatchObject({
      status: "failed",
      fix: expect.stringContaining("REPLICA IDENTITY FULL"),
    });
  });

  it("says what a slot holds back, and whose it is", async () => {
    await database.query("SELECT pg_create_logical_replication_slot('held', 'pgoutput')");
    await database.query("SELECT pg_create_logical_replication_slot('foreign', 'test_decoding')");
    await database.query("CREATE TABLE noise AS SELECT g FROM generate_series(1, 50000) g");
    const slot = async (name: string, wal: PostgresSource["wal"] = {}) =>
      (await check(capturing({ open: {} }, { wal: { slot: name, ...wal } })))(`slot ${name}`);
    expect(await slot("held")).toMatchObject({ status: "ok", found: expect.stringContaining("of WAL") });
    expect(await slot("held", { warnMegabytes: 1 })).toMatchObject({
      status: "warning",
      fix: expect.stringContaining("ingot slot mine --drop"),
    });
    expect(await slot("held", { stopMegabytes: 1 })).toMatchObject({
      status: "warning",
      found: expect.stringContaining("drops it"),
    });
    expect(await slot("foreign")).toMatchObject({ status: "failed", fix: expect.stringContaining("slot:") });
    await database.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
  });
});

describe("the server", () => {
  async function judge(server: Partial<Server>, needs: CaptureNeeds = { newSlots: 1, isEmbedded: false }) {
    const client = await connect(database.url);
    try {
      const own = (await checkServer(client, true)).server;
      const results = await checkCapture(database.url, { ...own, keptMegabytes: 10_240, ...server }, needs);
      return results.filter(({ status }) => status !== "ok");
    } finally {
      await disconnect(client);
    }
  }

  it.each([
    ["wal_level", { walLevel: "replica" }, "failed", "rds.logical_replication = 1"],
    ["standby", { replica: true }, "failed", "the primary"],
    ["replication right", { mayReplicate: false }, "failed", "REPLICATION"],
    ["replication slots", { slots: 10, mostSlots: 10 }, "failed", "max_replication_slots = 15"],
    ["replication slots", { slots: 9, mostSlots: 10 }, "warning", "max_replication_slots = 15"],
    ["WAL senders", { senders: 10, mostSenders: 10 }, "failed", "max_wal_senders = 15"],
    ["WAL kept for slots", { keptMegabytes: -1 }, "warning", "max_slot_wal_keep_size = '10GB'"],
    ["WAL kept for slots", { keptMegabytes: 100 }, "warning", "max_slot_wal_keep_size = '10GB'"],
    ["wal_sender_timeout", { senderTimeout: 0 }, "warning", "wal_sender_timeout = '60s'"],
    ["wal_sender_timeout", { senderTimeout: 5_000 }, "warning", "wal_sender_timeout = '60s'"],
    ["idle slots", { idleSeconds: 600 }, "warning", "idle_replication_slot_timeout = 0"],
  ] as const)("%s: %o", async (name, server, status, fix) => {
    expect(await judge(server)).toMatchObject([{ name, status, fix: expect.stringContaining(fix) }]);
  });

  it.each([
    [{ messages: "notes" }, 13, "failed", "Leave `wal: { messages }` out"],
    [{ messages: "notes" }, 14, "ok", undefined],
    [{ origin: "none" }, 15, "failed", 'Leave `wal: { origin: "none" }` out'],
    [{ origin: "none" }, 16, "ok", undefined],
  ] as const)("is new enough for %o, or not: %i", async (wal, version, status, fix) => {
    const client = await connect(database.url);
    const { server } = await checkServer(client, true).finally(() => disconnect(client));
    const [result] = await checkSelected({ ...server, version }, capturing({ open: {} }, { wal }));
    expect(result).toMatchObject({ name: "stream of mine", status });
    if (fix !== undefined) expect(result?.fix).toContain(fix);
  });

  it("needs no slot for a pipeline that has one", async () => {
    const needs = { newSlots: 0, isEmbedded: false };
    expect(await judge({ slots: 9, mostSlots: 10 }, needs)).toEqual([]);
    expect(await judge({ slots: 10, mostSlots: 10 }, needs)).toMatchObject([{ status: "warning" }]);
  });

  it("is not asked for any of it where changes are queried", async () => {
    const source = postgres({ tables: { open: {} } });
    const results = await checkPostgres(database.url, [{ name: "mine", source }]);
    expect(results.map(({ name }) => name)).toEqual([
      "Postgres",
      "snapshot",
      "change capture",
      "table public.open",
    ]);
  });
});
