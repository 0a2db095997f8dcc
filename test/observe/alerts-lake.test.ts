/** Alerts about a real lake and its source, by a clock that goes fast. */
import { mkdir } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { beforeAll, expect, it } from "vitest";
import { watchAlerts } from "../../jobs/observe/alerts.ts";
import { endObserving, observe } from "../../jobs/observe/observation.ts";
import { SharedObservation } from "../../jobs/observe/shared-observation.ts";
import type { Runtime } from "../../jobs/runtime.ts";
import type { SchedulerEvent } from "../../jobs/scheduler/events.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { type Clock, systemClock } from "../../lakehouse/lease/clock.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { keepUp } from "../../layers/bronze/keep-up.ts";
import { parseConfig } from "../../layers/definition/config.ts";
import { aggregate, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { defineTable, long, text } from "../../schemas/index.ts";
import { ingotCli } from "../support/cli.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";
import { useReceiver } from "./receiver.ts";
import { SHOP_TABLES, writeShop } from "./shop-project.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();
const receiver = useReceiver();

/** A minute of it is two seconds. */
const FAST = 30;
const began = Date.now();
const fast: Clock = {
  now: () => began + FAST * (Date.now() - began),
  elapsed: () => FAST * performance.now(),
  sleep: (milliseconds, signal) => systemClock.sleep(milliseconds / FAST, signal),
};

const orders = defineTable({
  name: "orders",
  description: "o",
  key: ["id"],
  columns: { id: long(), kind: text(), amount: long().check((n) => n.min(0n)) },
});
const totals = defineTable({
  name: "totals",
  description: "t",
  key: ["kind"],
  columns: { kind: text(), orders: long(), amount: long() },
});
const shop = (): PipelineDefinition => ({
  name: "shop",
  folder: pathToFileURL(`${folder.path}/`),
  source: postgres({ changes: "wal", tables: { orders: {} } }),
  silver: { orders: merge(orders) },
  gold: { totals: aggregate(totals) },
});

beforeAll(async () => {
  await database.query(SHOP_TABLES);
  await mkdir(folder.path, { recursive: true });
  await writeShop(folder.path, { changes: "wal" });
});

it("tells of a slot that is gone and of rows in quarantine, and lists them", async () => {
  const root = `${folder.path}/lake`;
  const lake = new Lake(new LocalStore(root), duckdb);
  const target = new EmbeddedTarget(lake.store);
  const settings = { alerts: { url: receiver.url, on: ["quarantine", "slot"] }, pipelines: [shop()] };
  const runtime: Runtime = {
    config: parseConfig(settings, {}, "test"),
    folder: folder.path,
    lakeRoot: root,
    lake,
    onProgress: ignoreProgress,
    database: async () => database.url,
    target: async () => target,
    pipelines: () => [shop()],
    endProgress: () => {},
  };
  const context = ingestContext(lake, database.url);
  const run = async (step: typeof load | typeof keepUp) => {
    await step(context, shop());
    await build(context, shop());
  };
  await database.query(
    "INSERT INTO orders SELECT i, 'a', CASE i WHEN 1 THEN -1 ELSE 1 END FROM generate_series(1, 10) AS i",
  );
  await run(load);
  const events: SchedulerEvent[] = [];
  let settled = () => {};
  const looked = new Promise<void>((resolve) => {
    settled = resolve;
  });
  const observation = new SharedObservation(() => observe(runtime, [shop()]), { freshFor: 0 });
  let looks = 0;
  // Of what it saw first nothing is told; by the next look it is noted.
  observation.onMade(() => {
    if (++looks === 2) settled();
  });
  const options = { owner: "a", leaseMilliseconds: 15_000, observation, clock: fast };
  const alerts = watchAlerts(runtime, [shop()], { ...options, emit: (event) => events.push(event) });
  await looked;
  const told = (alert: string) =>
    receiver.until((got) =>
      got.map(({ body }) => JSON.parse(body)).find((message) => message.alert === alert),
    );
  await database.query("INSERT INTO orders VALUES (11, 'a', -1)");
  await run(keepUp);
  expect(await told("quarantine")).toMatchObject({
    pipeline: "shop",
    state: "firing",
    subject: "silver.orders",
    summary: "shop.silver.orders has 2 rows in quarantine, 1 more than there were",
    details: { rows: 2, before: 1 },
  });
  // Nobody syncs any more.
  await database.query("SELECT pg_drop_replication_slot('ingot_shop')");
  expect(await told("slot")).toMatchObject({
    subject: "ingot_shop",
    summary: "shop: replication slot ingot_shop is not there",
  });
  await alerts?.end();
  await observation.close();
  await endObserving(runtime);
  expect(events.filter(({ event }) => event === "alert failed")).toEqual([]);
  const listed = await ingotCli(folder.path, ["alerts", "--json"]);
  expect(JSON.parse(listed.stdout).alerts).toMatchObject([
    { pipeline: "shop", alert: "quarantine", subject: "silver.orders", told: expect.any(String) },
    { pipeline: "shop", alert: "slot" },
  ]);
  expect((await ingotCli(folder.path, ["alerts"])).stdout).toMatch(/quarantine.*2 rows in quarantine/);
});
