/** Schedules that follow changes, in real processes of `ingot start`, on real Postgres. */
import { mkdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake, openStore } from "../../lakehouse/lake.ts";
import { createMetricsClient } from "../../layers/publish/client.ts";
import { parseMetrics, sampleValue } from "../observe/prometheus-text.ts";
import { SHOP_TABLES, writeShop } from "../observe/shop-project.ts";
import { Started } from "../observe/started.ts";
import { useCutOff } from "../support/cut-off.ts";
import { useFolder } from "../support/folder.ts";
import { queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const folder = useFolder();
const database = useDatabase();
const way = useCutOff(() => database.url);

/** A project over an empty table of its own. */
async function project(follow: string): Promise<string> {
  const path = `${folder.path}/${crypto.randomUUID()}`;
  await mkdir(path);
  way.mend();
  // Of the project before.
  await database.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots");
  await database.query("DROP TABLE IF EXISTS orders");
  await database.query(SHOP_TABLES);
  await writeShop(path, { changes: "wal", pipeline: `schedules: { live: { follow: ${follow} } },` });
  return path;
}

const start = (path: string, ...args: string[]) =>
  new Started(path, ["--json", "--verbose", "--lease", "3", ...args], {
    DATABASE_URL: way.through(database.url),
  });

/** Ids in bronze, one for each row that says so. */
async function idsInBronze(path: string): Promise<number[]> {
  const duckdb = await DuckDb.open({ memoryMb: 64, threads: 1 });
  try {
    const lake = new Lake(openStore(`${path}/lake`), duckdb);
    const rows = await queryTable(lake, "shop/bronze/orders", "SELECT id FROM t ORDER BY id");
    return rows.map(({ id }) => Number(id));
  } finally {
    duckdb.close();
  }
}

/** Rows that it says are in bronze. */
const taken = ({ lines }: Started): number =>
  lines.reduce((sum, { msg, rows }) => sum + (msg === "batch" ? Number(rows) : 0), 0);

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

it("rows are in bronze soon after their commit, without any due time, and it ends when it is told to", async () => {
  const path = await project("true");
  const started = start(path);
  await started.logged("following");
  await started.logged("working");
  for (let row = 1; row <= 3; row++) {
    await database.query("INSERT INTO orders VALUES ($1, 'a', 1)", [row]);
    await started.logged("batch", () => taken(started) >= row);
  }
  expect(await started.signal("SIGTERM")).toBe("SIGTERM");
  expect(started.lines.filter(({ msg }) => msg === "run started")).toEqual([]);
  const told = started.lines.filter(({ level }) => level !== "debug");
  expect(told.slice(-3).map(({ msg, reason }) => [msg, reason])).toEqual([
    ["stopping", undefined],
    ["followed", "stopped"],
    ["stopped", undefined],
  ]);
  expect(await idsInBronze(path)).toEqual(upTo(3));
  // Nobody reads the slot any more.
  const [slot] = await database.query(
    "SELECT active FROM pg_replication_slots WHERE slot_name = 'ingot_shop'",
  );
  expect(slot).toEqual({ active: false });
  expect(started.complaints).toBe("");
});

it("a source that goes away is told at once, and is no secret to probes, until it is back", async () => {
  const path = await project("true");
  const started = start(path, "--port", "0");
  const { url } = await started.logged("watched");
  /** Whether it says that it is ready, that it follows, and that it is in trouble. */
  const probes = async () => {
    const { status } = await fetch(`${String(url)}/readyz`);
    const found = parseMetrics(await (await fetch(`${String(url)}/metrics`)).text());
    const about = { schedule: "shop.live" };
    const flags = ["following", "trouble"].map((name) => sampleValue(found, `ingot_schedule_${name}`, about));
    return [status, ...flags];
  };
  await database.query("INSERT INTO orders VALUES (1, 'a', 1)");
  await started.logged("batch", () => taken(started) >= 1);
  expect(await probes()).toEqual([200, 1, 0]);
  way.cut();
  expect(await started.logged("trouble")).toMatchObject({
    level: "warn",
    job: "shop.live",
    error: { code: expect.stringMatching(/^POSTGRES_(UNREACHABLE|CONNECTION_LOST)$/) },
  });
  // At the first failure, not when it has given up.
  expect(started.lines.filter(({ msg }) => msg === "followed")).toEqual([]);
  expect(await probes()).toEqual([503, 0, 1]);
  await database.query("INSERT INTO orders VALUES (2, 'a', 1)");
  way.mend();
  await started.logged("working", ({ again }) => again === true);
  await started.logged("batch", () => taken(started) >= 2);
  expect(await probes()).toEqual([200, 1, 0]);
  expect(await started.signal("SIGTERM")).toBe("SIGTERM");
  expect(await idsInBronze(path)).toEqual(upTo(2));
});

it("a metric follows what is written; killed, another process goes on, and no row is there twice", async () => {
  const path = await project("{ buildEverySeconds: 1 }");
  const first = start(path);
  await first.logged("following");
  const second = start(path);
  await second.logged("started");
  const metrics = await createMetricsClient({ lake: `${path}/lake` });
  const stop = new AbortController();
  let written = 0;
  const writing = (async () => {
    while (!stop.signal.aborted) {
      written += 1;
      await database.query("INSERT INTO orders VALUES ($1, $2, 1)", [written, written % 2 ? "a" : "b"]);
      await delay(20);
    }
  })();
  let shown = 0;
  let look = () => {};
  const subscription = await metrics.subscribe("shop", "totals", async () => {
    const { rows = [] } = (await metrics.get("shop", "totals")) ?? {};
    shown = rows.reduce((sum, { orders }) => sum + Number(orders), 0);
    look();
  });
  /** Resolves when the metric counts so many orders. */
  const counted = (orders: number) =>
    new Promise<void>((resolve) => {
      look = () => {
        if (shown >= orders) resolve();
      };
      look();
    });
  try {
    await counted(50);
    await first.signal("SIGKILL");
    const before = written;
    await second.logged("following");
    await counted(before + 50);
    stop.abort();
    await writing;
    await counted(written);
    expect(shown).toBe(written);
    expect(await second.signal("SIGTERM")).toBe("SIGTERM");
    expect(await idsInBronze(path)).toEqual(upTo(written));
    const changed = second.lines.filter(({ msg, reason }) => msg === "run started" && reason === "changes");
    expect(changed.length).toBeGreaterThan(0);
  } finally {
    stop.abort();
    await writing;
    await subscription.close();
    await metrics.close();
    await Promise.all([first, second].map((process) => process.signal("SIGKILL")));
  }
});
