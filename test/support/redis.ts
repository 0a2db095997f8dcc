import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { afterAll, beforeAll } from "vitest";
import { type EmbeddedRedis, findRedisServer, startRedis } from "../../jobs/embedded/redis.ts";

const binary = await findRedisServer();
if (binary === undefined) {
  const line = "No redis-server on PATH or in INGOT_REDIS_SERVER";
  if (process.env.CI) throw new Error(`${line}: install it, tests must not be skipped here.`);
  process.stderr.write(`${line}: tests that need it are skipped.\n`);
}

/** For `describe.skipIf(!redisAvailable)`. On a build server a missing redis-server is an error instead. */
export const redisAvailable = binary !== undefined;

/** An empty Redis for the tests of a suite. Both members are for use inside of tests and hooks. */
export interface TestRedis {
  readonly url: string;
  /** The suite's own client. */
  readonly client: Redis;
}

/** Starts a server for the suite that calls this and stops it at its end; a client left connected fails the suite. */
export function useRedis(): TestRedis {
  let folder: string | undefined;
  let server: EmbeddedRedis | undefined;
  let client: Redis | undefined;
  const started = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error("The Redis is there only inside of tests and hooks.");
    return value;
  };
  beforeAll(async () => {
    if (binary === undefined) throw new Error("No redis-server: guard the suite with redisAvailable.");
    folder = await mkdtemp(join(tmpdir(), "ingot-test-redis-"));
    server = await startRedis({ folder, binary });
    client = new Redis(server.url);
  });
  afterAll(async () => {
    const leaks = client === undefined ? [] : await findLeaks(client);
    await client?.quit();
    await server?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
    if (leaks.length > 0) throw new Error(`Clients were left connected:\n${leaks.join("\n")}`);
  });
  return {
    get url() {
      return started(server).url;
    },
    get client() {
      return started(client);
    },
  };
}

async function findLeaks(client: Redis): Promise<string[]> {
  const own = `id=${await client.client("ID")} `;
  const deadline = Date.now() + 2_000;
  for (;;) {
    const others = String(await client.client("LIST"))
      .trim()
      .split("\n")
      .filter((line) => !line.startsWith(own));
    if (others.length === 0 || Date.now() > deadline) return others;
    await delay(20);
  }
}
