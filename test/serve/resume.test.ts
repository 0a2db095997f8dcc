/** Streams of events go on over a server that was killed, and over a Redis that was. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { freePort } from "../../jobs/embedded/free-port.ts";
import { redisSource } from "../../layers/publish/client-source.ts";
import { RedisTarget } from "../../layers/publish/redis.ts";
import { defineTable, integer, text } from "../../schemas/index.ts";
import { publicationOf } from "../publish/publications.ts";
import { startServer as startRedis } from "../publish/redis-servers.ts";
import { useFolder } from "../support/folder.ts";
import { redisAvailable } from "../support/redis.ts";
import { readEvents } from "./events.ts";
import { serve } from "./served.ts";

const folder = useFolder();
const SCRIPT = new URL("./server-child.ts", import.meta.url).pathname;
const DURABLE = { appendonly: "yes", appendfsync: "always" };

describe.skipIf(!redisAvailable)("events", () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  const setUp = async () => {
    const redis = await startRedis({ folder: `${folder.path}/${crypto.randomUUID()}`, settings: DURABLE });
    closing.push(() => redis.kill());
    const target = await RedisTarget.connect(redis.url);
    closing.push(() => target.close());
    const put = (version: number) => target.publish(publicationOf("shop/top", { version }));
    return { redis, target, put };
  };

  it("of a server that is killed and started again: each that was missed, once, in order", async () => {
    const { redis, put } = await setUp();
    const port = await freePort();
    const children: ChildProcess[] = [];
    const start = async () => {
      const child = spawn(process.execPath, ["--import", "jiti/register", SCRIPT, redis.url, String(port)], {
        stdio: ["ignore", "ignore", "inherit", "ipc"],
      });
      children.push(child);
      await once(child, "message");
    };
    const kill = async () => {
      const child = children.pop();
      if (child === undefined) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    };
    closing.push(kill);
    await start();
    const url = `http://127.0.0.1:${port}/v1/shop/top/events`;
    await put(1);
    const first = await readEvents(url);
    const last = await first.next();
    expect(last?.data.version).toBe(1);
    await kill();
    // The client notices by itself.
    expect(await first.next()).toBeUndefined();
    for (const version of [2, 3, 4]) await put(version);
    await start();
    const resumed = await readEvents(url, last?.id);
    const seen: (number | undefined)[] = [];
    for (let i = 0; i < 3; i++) seen.push((await resumed.next())?.data.version);
    expect(seen).toEqual([2, 3, 4]);
    await put(5);
    expect((await resumed.next())?.data.version).toBe(5);
    await resumed.close();
  });

  it("while Redis is killed and started again: the stream stays open and goes on", async () => {
    const { redis, target, put } = await setUp();
    const source = redisSource(target, { url: redis.url });
    closing.push(() => source.close());
    const server = await serve({
      contract: defineTable({
        name: "top",
        description: "top",
        columns: { i: integer(), version: integer(), filler: text() },
      }),
      publish: [{ model: "top", title: "Top" }],
      source,
    });
    closing.push(() => server.stop());
    await put(1);
    const before = await fetch(`${server.url}/v1/shop/top`);
    await before.body?.cancel();
    const reader = await readEvents(`${server.url}/v1/shop/top/events`);
    const event = await reader.next();
    expect(event?.data.version).toBe(1);
    await redis.kill();
    const away = await fetch(`${server.url}/v1/shop/top`);
    expect([away.status, away.headers.get("retry-after")]).toEqual([503, "1"]);
    expect(((await away.json()) as { error: { code: string } }).error.code).toBe("REDIS_UNAVAILABLE");
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    await redis.start();
    const known = { "if-none-match": before.headers.get("etag") ?? "" };
    expect((await fetch(`${server.url}/v1/shop/top`, { headers: known })).status).toBe(304);
    for (const version of [2, 3]) await put(version);
    expect((await reader.next())?.data.version).toBe(2);
    expect((await reader.next())?.data.version).toBe(3);
    await reader.close();
    const later = await readEvents(`${server.url}/v1/shop/top/events`, event?.id);
    expect((await later.next())?.data.version).toBe(2);
    await later.close();
  });
});
