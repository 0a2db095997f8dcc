/** Publishing: a large lookup against raw writes of the same bytes, and how soon a subscriber hears of a commit. */
import { execFile, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { findRedisServer, startRedis } from "../../jobs/embedded/redis.ts";
import { groupDigits } from "../../jobs/terminal/numbers.ts";
import { overwriteRows } from "../../lakehouse/delta/change/overwrite.ts";
import { createTable } from "../../lakehouse/delta/create.ts";
import { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { contractSchema } from "../../lakehouse/table/contract-schema.ts";
import { full } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import type { PublishedMetric } from "../../layers/definition/published.ts";
import { publish } from "../../layers/publish/publish.ts";
import { RedisTarget } from "../../layers/publish/redis.ts";
import { defineTable, long, text } from "../../schemas/index.ts";
import { type Bench, median, quantile, rounded, timed } from "./bench.ts";
import type { Heard } from "./publish-child.ts";

const KEYS = 100_000;
const PUSHES = 200;
/** Commands of a pipeline; the quickest of them is the floor. */
const PIPELINES = [100, 1_000, 5_000];
const UNDER_WAY = 3;
const CHILD = new URL("./publish-child.js", import.meta.url);

const products = defineTable({
  name: "products",
  description: "Figures of products.",
  key: ["id"],
  columns: { id: long(), name: text(), units: long(), note: text() },
});

export const publishBench: Bench = async ({ scale, rounds, say }) => {
  const binary = await findRedisServer();
  if (binary === undefined) throw new Error("no redis-server on PATH or in INGOT_REDIS_SERVER");
  const folder = await mkdtemp(join(tmpdir(), "ingot-bench-publish-"));
  const server = await startRedis({ folder, binary });
  const duckdb = await DuckDb.open({ memoryMb: 256, threads: 2 });
  try {
    const shop = new Shop(new Lake(new LocalStore(join(folder, "lake")), duckdb), server.url);
    const keys = Math.max(1_000, Math.round(KEYS * scale));
    const lookup = await lookupFigures(shop, server.url, binary, { keys, rounds, say });
    const push = await pushFigures(shop, Math.max(20, Math.round(PUSHES * Math.min(1, scale))));
    say(`a subscriber hears of 95 % of commits within ${push.pushP95Ms} ms`);
    return { keys, ...lookup, ...push };
  } finally {
    duckdb.close();
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
};

/** A gold table, and its publication. */
class Shop {
  /** Of Redis. */
  readonly url: string;
  private readonly lake: Lake;

  constructor(lake: Lake, url: string) {
    this.lake = lake;
    this.url = url;
  }

  /** Version of the table. */
  async version(): Promise<number> {
    return (await this.lake.table("shop/gold/products").existingSnapshot()).version;
  }

  /** Gives the table other rows, in one commit. */
  async commit(rows: number, round: number): Promise<void> {
    const table = this.lake.table("shop/gold/products");
    if ((await table.snapshot()) === undefined)
      await createTable(table, { schema: contractSchema(products) });
    await overwriteRows(
      table,
      `SELECT i::BIGINT AS id, 'Product ' || i AS name, (i * 7 + ${round})::BIGINT AS units,
              repeat('word ', 20) AS note FROM range(${rows}) AS t(i)`,
    );
  }

  /** A function that publishes what is newest, over one connection. */
  async publisher(
    as: PublishedMetric["as"],
  ): Promise<{ run: () => Promise<void>; close: () => Promise<void> }> {
    const target = await RedisTarget.connect(this.url);
    const pipeline: PipelineDefinition = {
      name: "shop",
      source: postgres({ tables: {} }),
      gold: { products: full(products) },
      publish: [{ model: "products", title: "Products", ...(as ? { as } : {}) }],
    };
    const context = { lake: this.lake, target: async () => target, onProgress: ignoreProgress };
    return {
      run: async () => {
        const [report] = await publish(context, pipeline);
        if (report?.status !== "published") throw new Error(`the version is ${report?.status}`);
      },
      close: () => target.close(),
    };
  }
}

async function lookupFigures(
  shop: Shop,
  url: string,
  binary: string,
  { keys, rounds, say }: { keys: number; rounds: number; say: (line: string) => void },
) {
  const redis = new Redis(url);
  const publisher = await shop.publisher({ kind: "lookup" });
  try {
    await shop.commit(keys, 0);
    await publisher.run();
    const pairs = await storedRows(redis);
    const times: Record<"raw" | "publish", number[]> = { raw: [], publish: [] };
    for (let round = 0; round < rounds; round++) {
      const raw: number[] = [];
      for (const size of PIPELINES) {
        await redis.flushall();
        raw.push((await timed(() => writeRaw(redis, pairs, size))).milliseconds);
      }
      times.raw.push(Math.min(...raw));
      await redis.flushall();
      times.publish.push((await timed(publisher.run)).milliseconds);
    }
    const [raw, published] = [median(times.raw), median(times.publish)];
    const changed = await changedMs(shop, publisher.run, keys);
    const tool = await benchmarkTool(binary, url, pairs);
    say(
      `${groupDigits(pairs.length)} keys: raw ${Math.round(raw)} ms, published ${Math.round(published)} ms; a version without a change in ${Math.round(changed)} ms; redis-benchmark ${tool === undefined ? "is not there" : `${Math.round(tool)} ms`}`,
    );
    return {
      rawRatio: rounded(published / raw),
      sameRowsRatio: rounded(changed / raw),
      ...(tool === undefined ? {} : { benchmarkToolRatio: rounded(published / tool) }),
    };
  } finally {
    await publisher.close();
    await redis.quit();
  }
}

/** Milliseconds of a version whose rows are all there already. */
async function changedMs(shop: Shop, run: () => Promise<void>, keys: number): Promise<number> {
  await shop.commit(keys, 0);
  return (await timed(run)).milliseconds;
}

/** Keys and values of the rows that were published: what raw writes have to write. */
async function storedRows(redis: Redis): Promise<[string, string][]> {
  const pairs: [string, string][] = [];
  let cursor = "0";
  do {
    const [next, keys] = await redis.scan(cursor, "MATCH", "*:row:*", "COUNT", 10_000);
    cursor = next;
    const values = keys.length > 0 ? await redis.mget(keys) : [];
    for (const [i, key] of keys.entries()) pairs.push([key, values[i] ?? ""]);
  } while (cursor !== "0");
  return pairs;
}

async function writeRaw(redis: Redis, pairs: readonly [string, string][], size: number): Promise<void> {
  const underWay = new Set<Promise<unknown>>();
  for (let start = 0; start < pairs.length; start += size) {
    const pipeline = redis.pipeline();
    for (const [key, value] of pairs.slice(start, start + size)) pipeline.set(key, value);
    const sending: Promise<unknown> = pipeline.exec().then(() => underWay.delete(sending));
    underWay.add(sending);
    if (underWay.size >= UNDER_WAY) await Promise.race(underWay);
  }
  await Promise.all(underWay);
}

/** Milliseconds of Redis' own tool for as many writes of values of that size; undefined where it is not installed. */
async function benchmarkTool(
  binary: string,
  url: string,
  pairs: readonly [string, string][],
): Promise<number | undefined> {
  const { port, password } = new URL(url);
  const bytes = String(Math.round(pairs.reduce((sum, [, value]) => sum + value.length, 0) / pairs.length));
  const count = String(pairs.length);
  const login = ["-p", port, "-a", password, "-n", count, "-r", count, "-d", bytes];
  const tool = join(dirname(binary), "redis-benchmark");
  try {
    const { stdout } = await promisify(execFile)(tool, [
      ...login,
      "-c",
      "1",
      "-P",
      "100",
      "-t",
      "set",
      "--csv",
    ]);
    const rate = Number(/^"SET","([\d.]+)"/m.exec(stdout)?.[1]);
    return rate > 0 ? (pairs.length / rate) * 1000 : undefined;
  } catch {
    return undefined;
  }
}

/** From the return of a gold table's commit to the callback of a subscriber in another process. */
async function pushFigures(shop: Shop, pushes: number) {
  const publisher = await shop.publisher({ kind: "ranking", member: "name", score: "units" });
  const child = fork(CHILD, [shop.url, "shop/products"]);
  const waiting = new Map<number, (heard: Heard) => void>();
  child.on("message", (heard: Heard) => waiting.get(heard.version)?.(heard));
  try {
    await once(child, "message");
    const delays: number[] = [];
    for (let i = 0; i < pushes; i++) {
      await shop.commit(50, i + 1);
      const committed = Date.now();
      const version = await shop.version();
      const heard = new Promise<Heard>((resolve) => waiting.set(version, resolve));
      await publisher.run();
      delays.push((await heard).at - committed);
    }
    // The first is the one that loads code and plans.
    const warm = delays.slice(1);
    return { pushP95Ms: rounded(quantile(warm, 0.95)), pushP50Ms: rounded(quantile(warm, 0.5)) };
  } finally {
    child.kill();
    await publisher.close();
  }
}
