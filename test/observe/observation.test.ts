/** What is observed of a real database, lake and target, against what they themselves say. */
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { pathToFileURL } from "node:url";
import { beforeAll, expect, it } from "vitest";
import { endObserving, type Observation, observe } from "../../jobs/observe/observation.ts";
import type { Runtime } from "../../jobs/runtime.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { keepUp } from "../../layers/bronze/keep-up.ts";
import { freshness } from "../../layers/definition/audit.ts";
import { parseConfig } from "../../layers/definition/config.ts";
import { full, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { publish } from "../../layers/publish/publish.ts";
import { defineTable, integer, timestamp } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();
const HOUR = 3_600_000;

const columns = { id: integer(), n: integer().check((n) => n.min(0)), seen: timestamp() };
const sound = defineTable({
  name: "sound",
  description: "rows that are right",
  key: ["id"],
  columns,
  freshness: { column: "seen", within: 120 },
});
const born = defineTable({
  name: "born",
  description: "a moment that nobody is to know",
  key: ["id"],
  columns: { ...columns, seen: columns.seen.sensitive("mask") },
  freshness: { column: "seen", within: 60 },
});

const pipeline = (name: string): PipelineDefinition => ({
  name,
  folder: pathToFileURL(`${folder.path}/`),
  source: postgres({ changes: "wal", tables: { items: {}, later: {} } }),
  silver: {
    sound: { ...merge(sound), audits: [freshness({ column: "seen", within: 30 }).warn()] },
    born: merge(born),
  },
  gold: { listed: full(sound) },
  publish: [{ model: "listed", title: "Listed" }],
});

const root = `${folder.path}/lake`;
const target = new EmbeddedTarget(new LocalStore(root));
const config = parseConfig({ pipelines: [pipeline("shop")] }, {}, "test");

/** A runtime over the lake, as commands have one. */
function runtimeOn(store: ObjectStore, url = database.url): Runtime {
  return {
    config,
    folder: folder.path,
    lakeRoot: root,
    lake: new Lake(store, duckdb),
    onProgress: ignoreProgress,
    database: async () => url,
    target: async () => target,
    pipelines: () => [pipeline("shop")],
    endProgress: () => {},
  };
}

async function run(step: "load" | "sync" = "sync"): Promise<void> {
  const context = ingestContext(new Lake(new LocalStore(root), duckdb), database.url);
  const shop = pipeline("shop");
  await (step === "load" ? load(context, shop) : keepUp(context, shop));
  await build(context, shop);
  await publish({ ...context, target: async () => target }, shop);
}

const tableOf = ({ tables }: Observation, table: string) => tables.find((found) => found.table === table);

beforeAll(async () => {
  for (const layer of ["silver", "gold"]) await mkdir(`${folder.path}/${layer}`);
  for (const name of ["sound", "born"])
    await writeFile(`${folder.path}/silver/${name}.sql`, "SELECT id, n, seen FROM bronze.items");
  await writeFile(`${folder.path}/gold/listed.sql`, "SELECT id, n, seen FROM silver.sound");
  await database.query(`CREATE TABLE items (id int PRIMARY KEY, n int, seen timestamptz);
    CREATE TABLE later (id int PRIMARY KEY);
    INSERT INTO items SELECT g, g % 10 - 1, now() - g * interval '1 minute' FROM generate_series(1, 100) g`);
});

it("before anything was loaded there is nothing, and nothing is wrong", async () => {
  const runtime = runtimeOn(new LocalStore(root));
  const found = await observe(runtime, [pipeline("shop")]);
  expect(found).toMatchObject({
    tables: [],
    slots: [{ pipeline: "shop", slot: "ingot_shop", status: "missing" }],
    published: [],
    errors: [],
  });
  expect(found.quarantines.map(({ table, rows }) => [table, rows]).sort()).toEqual([
    ["silver.born", 0],
    ["silver.sound", 0],
  ]);
  await endObserving(runtime);
});

const TABLES = ["bronze.items", "bronze.later", "gold.listed", "silver.born", "silver.sound"];

it("figures are those of tables, quarantine, slot and target; no data file is needed for them", async () => {
  await run("load");
  const runtime = runtimeOn(new LocalStore(root));
  const lake = new Lake(new LocalStore(root), duckdb);
  const found = await observe(runtime, [pipeline("shop")]);
  expect(found.errors).toEqual([]);
  expect(found.tables.map(({ table }) => table).sort()).toEqual(TABLES);
  for (const { pipeline: owner, table, rows, version, ageMs = -1 } of found.tables) {
    const [layer = "", name = ""] = table.split(".");
    const path = `${owner}/${layer}/${name}` as const;
    const snapshot = await lake.table(path).existingSnapshot();
    const [counted] = await queryTable(lake, path, "SELECT count(*)::INTEGER AS rows FROM t");
    expect([table, rows, version]).toEqual([table, counted?.rows, snapshot.version]);
    expect(ageMs).toBe(Math.max(0, found.at - (snapshot.timestamp ?? 0)));
  }
  const [held] = await queryTable(lake, "shop/quarantine/sound", "SELECT count(*)::INTEGER AS rows FROM t");
  expect(held?.rows).toBe(10);
  expect(found.quarantines).toContainEqual({ pipeline: "shop", table: "silver.sound", rows: 10 });
  // What the pipeline says of the column counts, not what the contract says.
  const [newest] = await queryTable(
    lake,
    "shop/silver/sound",
    "SELECT epoch_ms(max(seen))::DOUBLE AS ms FROM t",
  );
  const fresh = tableOf(found, "silver.sound")?.freshness;
  expect(fresh).toEqual({ lagMs: found.at - Number(newest?.ms), allowedMs: HOUR / 2 });
  expect(tableOf(found, "gold.listed")?.freshness).toMatchObject({ allowedMs: 2 * HOUR });
  // A sensitive column's newest value is not told.
  expect(tableOf(found, "silver.born")).not.toHaveProperty("freshness");
  const stamp = await target.newestEvent("shop/listed");
  const publishedAt = stamp?.publishedAt ?? "";
  const listed = found.published.find(({ set }) => set === "shop/listed");
  expect(listed).toEqual({
    set: "shop/listed",
    publishedAt,
    ageMs: Math.max(0, found.at - Date.parse(publishedAt)),
  });

  for (const name of await readdir(root, { recursive: true })) {
    if (name.endsWith(".parquet") && !name.includes("_delta_log")) await rm(`${root}/${name}`);
  }
  const other = runtimeOn(new LocalStore(root));
  const again = await observe(other, [pipeline("shop")]);
  expect(again.errors).toEqual([]);
  expect(again.tables.map(({ table, rows }) => [table, rows]).sort()).toEqual(
    found.tables.map(({ table, rows }) => [table, rows]).sort(),
  );
  await Promise.all([endObserving(runtime), endObserving(other)]);
  await rm(root, { recursive: true });
  await database.query("SELECT pg_drop_replication_slot('ingot_shop')");
});

it("how fresh a table is follows updates and deletes of its newest rows", async () => {
  await run("load");
  const runtime = runtimeOn(new LocalStore(root));
  const lag = async () => {
    const found = await observe(runtime, [pipeline("shop")]);
    expect(found.errors).toEqual([]);
    const [newest] = await database.query<{ ms: number }>(
      "SELECT floor(extract(epoch FROM max(seen)) * 1000)::float8 AS ms FROM items WHERE n >= 0",
    );
    return [tableOf(found, "silver.sound")?.freshness?.lagMs, found.at - Number(newest?.ms)];
  };
  for (const change of [
    "SELECT 1",
    "DELETE FROM items WHERE id < 5",
    "UPDATE items SET seen = seen - interval '1 day' WHERE id < 20",
    "UPDATE items SET seen = now() + interval '1 hour' WHERE id = 50",
    "INSERT INTO items VALUES (500, 1, NULL), (501, -1, now() + interval '2 hours')",
    "UPDATE items SET seen = '2020-01-01' WHERE id = 50",
  ]) {
    await database.query(change);
    await run();
    const [said, truth] = await lag();
    // Where rows had to be read their microseconds count.
    expect([change, Math.ceil(said ?? Number.NaN)]).toEqual([change, truth]);
  }
  await database.query("DELETE FROM items WHERE n >= 0");
  await run();
  const empty = await observe(runtime, [pipeline("shop")]);
  expect(tableOf(empty, "silver.sound")).toMatchObject({ rows: 0 });
  expect(tableOf(empty, "silver.sound")).not.toHaveProperty("freshness");
  await endObserving(runtime);
});

it("a slot's figures are the source's, and say for how long something has been waiting", async () => {
  const runtime = runtimeOn(new LocalStore(root));
  const slot = async () => {
    const { slots, at: now, errors } = await observe(runtime, [pipeline("shop")]);
    expect(errors).toEqual([]);
    const [found] = slots;
    if (found === undefined) throw new Error("no slot");
    return { ...found, now };
  };
  await run();
  const first = await slot();
  expect(first).toMatchObject({ status: "idle", lagSeconds: 0 });
  await database.query("INSERT INTO items SELECT g, 1, now() FROM generate_series(1000, 5000) g");
  const second = await slot();
  const [truth] = await database.query<{ behind: string; held: string }>(
    `SELECT pg_current_wal_lsn() - confirmed_flush_lsn AS behind, pg_current_wal_lsn() - restart_lsn AS held
       FROM pg_replication_slots WHERE slot_name = 'ingot_shop'`,
  );
  // Postgres itself writes a little now and then.
  expect(second.lagBytes).toBeGreaterThan(100_000);
  expect(second.lagBytes).toBeLessThanOrEqual(Number(truth?.behind));
  expect(second.retainedBytes).toBeGreaterThanOrEqual(second.lagBytes ?? 0);
  expect(second.retainedBytes).toBeLessThanOrEqual(Number(truth?.held));
  const third = await slot();
  // Since the look that saw it first.
  expect(third.lagSeconds).toBeGreaterThanOrEqual((third.now - second.now) / 1000);
  await run();
  const last = await slot();
  expect(last.lagBytes).toBeLessThan(100_000);
  await database.query("SELECT pg_drop_replication_slot('ingot_shop')");
  expect(await slot()).toMatchObject({ status: "missing" });
  await database.query("SELECT pg_create_logical_replication_slot('ingot_shop', 'test_decoding')");
  const foreign = await observe(runtime, [pipeline("shop")]);
  expect([foreign.slots, foreign.errors]).toEqual([
    [],
    [{ what: "slot shop", error: expect.objectContaining({ code: "SLOT_FOREIGN" }) }],
  ]);
  await database.query("SELECT pg_drop_replication_slot('ingot_shop')");
  await endObserving(runtime);
});

it("what cannot be looked at is missing, and named; the rest is there", async () => {
  const store = new LocalStore(root);
  const broken: ObjectStore = Object.create(store, {
    within: {
      value: (path: string) => {
        const inner = store.within(path);
        return path === "shop/silver/sound" ? faultyStore(inner, () => ({ failBefore: true })) : inner;
      },
    },
  });
  const url = new URL(database.url);
  url.password = "s3cret";
  url.port = "1";
  const runtime = runtimeOn(broken, url.href);
  const found = await observe(runtime, [pipeline("shop")]);
  expect(found.errors.map(({ what }) => what).sort()).toEqual(["slots", "table shop.silver.sound"]);
  expect(JSON.stringify(found.errors)).not.toContain("s3cret");
  expect(tableOf(found, "silver.sound")).toBeUndefined();
  expect(found.tables.length).toBe(4);
  expect(found.slots).toEqual([]);
  expect(found.published.length).toBe(1);
  await endObserving(runtime);
});

it("a source that falls silent costs its slots only, and they are there again when it answers", async () => {
  // What stands between this process and the source goes dead in the middle of a connection.
  let isSilent = true;
  const open = new Set<Socket>();
  const { hostname, port } = new URL(database.url);
  const between = createServer((near) => {
    const far = connect(Number(port), hostname);
    for (const socket of [near, far]) {
      open.add(socket);
      socket.on("error", () => {}).on("close", () => [near, far].map((each) => each.destroy()));
    }
    far.pipe(near);
    let isDead = false;
    near.on("data", (bytes) => {
      isDead ||= isSilent && bytes.includes("pg_replication_slots");
      if (!isDead) far.write(bytes);
    });
  });
  await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
  const url = new URL(database.url);
  [url.hostname, url.port] = ["127.0.0.1", String((between.address() as AddressInfo).port)];
  const runtime = runtimeOn(new LocalStore(root), url.href);
  const two = [pipeline("shop"), pipeline("other")];
  const silent = await observe(runtime, two);
  expect(silent.errors.map(({ what }) => what)).toEqual(["slots"]);
  // The source's own time is over before that of the observation, and nothing is left of the connection.
  expect(silent.errors.map(({ error }) => error.code)).not.toContain("OBSERVATION_LATE");
  expect([silent.slots, silent.tables.length]).toEqual([[], 5]);
  isSilent = false;
  const again = await observe(runtime, two);
  expect([again.slots.map(({ slot }) => slot), again.errors]).toEqual([["ingot_shop", "ingot_other"], []]);
  await endObserving(runtime);
  for (const socket of open) socket.destroy();
  await new Promise((resolve) => between.close(resolve));
});

it("many tables are looked at at once", async () => {
  const tables = Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`t${i}`, {}]));
  let arrived = 0;
  let goOn = () => {};
  const all = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const before = () => {
    if (++arrived === 32) goOn();
    return all;
  };
  const runtime = runtimeOn(faultyStore(new LocalStore(`${folder.path}/none`), () => ({ before })));
  const many: PipelineDefinition = { name: "many", source: postgres({ tables }) };
  expect(await observe(runtime, [many])).toMatchObject({ tables: [], errors: [] });
  expect(arrived).toBeGreaterThanOrEqual(32);
  await endObserving(runtime);
});

it("no table that is known waits for the listing that finds others", async () => {
  let looked = 0;
  let goOn = () => {};
  const all = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  // Logs of bronze.items, of three models and of two quarantines.
  const store = faultyStore(new LocalStore(root), ({ method, path }) => {
    if (method !== "list") return undefined;
    if (path === "shop/") return { before: () => all };
    if (++looked === 6) goOn();
    return undefined;
  });
  const runtime = runtimeOn(store);
  const shop = pipeline("shop");
  const source = { ...shop.source, tables: { items: {} }, discover: ["public"] };
  const found = await observe(runtime, [{ ...shop, source }]);
  expect(found.errors).toEqual([]);
  expect(found.tables.map(({ table }) => table).sort()).toEqual(TABLES);
  await endObserving(runtime);
});

it("tables that a pipeline discovers are those that it has taken", async () => {
  const runtime = runtimeOn(new LocalStore(root));
  const shop = pipeline("shop");
  const taking: PipelineDefinition = {
    ...shop,
    source: { ...shop.source, tables: {}, discover: ["public"] },
  };
  const { tables } = await observe(runtime, [taking]);
  expect(tables.map(({ table }) => table).sort()).toEqual(
    (await observe(runtime, [shop])).tables.map(({ table }) => table).sort(),
  );
  await endObserving(runtime);
});
