import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import { birthOf, commandOf } from "../../jobs/embedded/processes.ts";
import { findRedisServer, startRedis } from "../../jobs/embedded/redis.ts";
import { useFolder } from "../support/folder.ts";
import { redisAvailable, useRedis } from "../support/redis.ts";

const root = useFolder();

describe("finding redis-server", () => {
  test("the first on PATH is taken, and INGOT_REDIS_SERVER before it", async () => {
    const [one, two] = [await program("one"), await program("two")];
    const PATH = `${join(root.path, "missing")}:${join(root.path, "one")}:${join(root.path, "two")}`;
    expect(await findRedisServer({ PATH })).toBe(one);
    expect(await findRedisServer({ PATH, INGOT_REDIS_SERVER: two })).toBe(two);
  });

  test("none is an answer, a wrong INGOT_REDIS_SERVER is an error", async () => {
    expect(await findRedisServer({ PATH: join(root.path, "missing") })).toBeUndefined();
    const wrong = findRedisServer({ INGOT_REDIS_SERVER: "/nowhere/redis-server" });
    await expect(wrong).rejects.toMatchObject({ code: "REDIS_NOT_RUNNABLE", value: "/nowhere/redis-server" });
  });

  test("a program that ends at once is reported with what it wrote", async () => {
    const binary = await program("broken");
    const attempt = startRedis({ folder: join(root.path, "ends"), binary });
    await expect(attempt).rejects.toMatchObject({
      code: "REDIS_START_FAILED",
      message: expect.stringContaining("no redis at all"),
    });
  });

  async function program(name: string): Promise<string> {
    const path = join(root.path, name, "redis-server");
    await mkdir(join(root.path, name), { recursive: true });
    await writeFile(path, "#!/bin/sh\necho no redis at all\n", { mode: 0o755 });
    return path;
  }
});

describe.skipIf(!redisAvailable)("a server of ours", () => {
  test("it answers its password only, which no command line shows, and ends with stop", async () => {
    const folder = join(root.path, "one");
    const server = await startRedis({ folder, binary: await binary() });
    const url = new URL(server.url);
    expect(await answer(server.url)).toBe("PONG");
    url.password = "";
    await expect(answer(url.href)).rejects.toThrow(/NOAUTH/);
    expect(commandOf(server.pid)).not.toContain(new URL(server.url).password);
    expect((await stat(join(folder, "redis.conf"))).mode & 0o777).toBe(0o600);
    await Promise.all([server.stop(), server.stop()]);
    expect(birthOf(server.pid)).toBeUndefined();
    await server.stop();
  });

  test("a folder's server is attached to while it runs, and started anew after a kill", async () => {
    const options = { folder: join(root.path, "again"), binary: await binary() };
    const [first, second] = await Promise.all([startRedis(options), startRedis(options)]);
    expect(second).toMatchObject({ pid: first.pid, url: first.url });
    expect([first.startedHere, second.startedHere].sort()).toEqual([false, true]);
    process.kill(first.pid, "SIGKILL");
    await second.stop();
    const third = await startRedis(options);
    expect(third.startedHere).toBe(true);
    expect(await answer(third.url)).toBe("PONG");
    await third.stop();
  });
});

describe.skipIf(!redisAvailable)("the support for tests", () => {
  const redis = useRedis();

  test("gives an empty server", async () => {
    expect(await redis.client.dbsize()).toBe(0);
    expect(await redis.client.config("GET", "save")).toEqual(["save", ""]);
    expect(await answer(redis.url)).toBe("PONG");
  });
});

async function binary(): Promise<string> {
  return (await findRedisServer()) ?? "";
}

async function answer(url: string): Promise<string> {
  const client = new Redis(url, { lazyConnect: true, retryStrategy: () => null, maxRetriesPerRequest: 0 });
  client.on("error", () => {});
  try {
    return await client.ping();
  } finally {
    client.disconnect();
  }
}
