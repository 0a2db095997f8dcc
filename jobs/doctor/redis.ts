import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { messageOf } from "../../lakehouse/errors.ts";
import { RedisTarget } from "../../layers/publish/redis.ts";
import { type CheckResult, failed, ok, skipped, warning } from "./check.ts";

/** Writes and deletes a key from within a script, which is how versions are published. */
const WRITE = `
redis.call('SET', KEYS[1], '1', 'EX', 60)
return redis.call('DEL', KEYS[1])`;

/** Reaches Redis, writes and deletes a key, and looks at what it does when its memory is full. */
export async function checkRedis(url: string | undefined): Promise<CheckResult[]> {
  if (url === undefined)
    return [skipped("Redis", "none configured: embedded target, metrics are published as files in the lake")];
  // Says in one sentence why it cannot be used.
  await (await RedisTarget.connect(url)).close();
  const redis = new Redis(url, {
    maxRetriesPerRequest: 1,
    retryStrategy: () => null,
    // It was ready a moment ago; for a user without the right to INFO the check would only warn again.
    enableReadyCheck: false,
  });
  // Without a listener a connection that drops would end the process; commands reject all the same.
  redis.on("error", () => {});
  try {
    // A user without the right to ask is no failure: publishing does not need it.
    const info = await redis.info().catch(() => "");
    const version = /^redis_version:(\S+)/m.exec(info)?.[1] ?? "version unknown (no right to INFO)";
    try {
      await redis.eval(WRITE, 1, `ingot:doctor:${randomUUID()}`);
    } catch (error) {
      const found = `${version}; a key cannot be written: ${messageOf(error)}`;
      return [failed("Redis", found, fixFor(messageOf(error), url))];
    }
    return [ok("Redis", `${version}; a key written and deleted`), ...checkEviction(info)];
  } finally {
    // Waits until the server knows that this connection is gone.
    await redis.quit().catch(() => redis.disconnect());
  }
}

function checkEviction(info: string): CheckResult[] {
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? "";
  if (!policy.startsWith("allkeys-")) return [];
  return [
    warning(
      "Redis memory",
      `maxmemory-policy ${policy}: when memory is full, published metrics are evicted`,
      "CONFIG SET maxmemory-policy volatile-lru (and in redis.conf), or use a Redis that is no cache.",
    ),
  ];
}

function fixFor(message: string, url: string): string {
  if (/NOPERM|permission/i.test(message)) {
    const user = decodeURIComponent(new URL(url).username) || "default";
    // Redis takes quotes as a shell does; a name without special characters needs none.
    const name = /^[\w-]+$/.test(user) ? user : identifier(user);
    // One kind of right at a time: Redis refuses to add a pattern for a user who may use all keys.
    if (/\bkeys?\b/i.test(message)) return `ACL SETUSER ${name} ~ingot:*`;
    if (/\bchannels?\b/i.test(message)) return `ACL SETUSER ${name} &ingot:*`;
    return `ACL SETUSER ${name} +@read +@write +@scripting +@connection +publish +time +info`;
  }
  if (message.includes("READONLY")) return "This is a replica: point REDIS_URL at its primary.";
  if (message.includes("OOM"))
    return "Its memory is full: raise maxmemory (CONFIG SET maxmemory 1gb) or free some.";
  return "Check the server's log and that REDIS_URL names a Redis that takes writes.";
}
