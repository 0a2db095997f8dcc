import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { RedisTarget } from "../../layers/publish/redis.ts";
import { type CheckResult, failed, ok, skipped, warning } from "./check.ts";

/** Reaches Redis, writes and deletes a key, and looks at what it does when its memory is full. */
export async function checkRedis(url: string | undefined): Promise<CheckResult[]> {
  if (url === undefined)
    return [skipped("Redis", "none configured: metrics are published as files in the lake")];
  // Says in one sentence why it cannot be used.
  await (await RedisTarget.connect(url)).close();
  const redis = new Redis(url, { maxRetriesPerRequest: 1, retryStrategy: () => null });
  redis.on("error", () => {});
  try {
    const info = await redis.info();
    const version = /redis_version:(\S+)/.exec(info)?.[1] ?? "unknown version";
    const policy = /maxmemory_policy:(\S+)/.exec(info)?.[1] ?? "unknown";
    const key = `ingot:{doctor}:${randomUUID()}`;
    const written = await redis.set(key, "1", "EX", 60).then(
      () => redis.del(key).then(() => true),
      () => false,
    );
    if (!written) {
      const fix =
        "Give this user write rights: ACL SETUSER … ~ingot:* &ingot:* +@all -@dangerous, or use the primary.";
      return [failed("Redis", `${version}, but keys cannot be written`, fix)];
    }
    const results = [ok("Redis", `${version}: read, write, delete`)];
    if (policy.startsWith("allkeys-")) {
      const fix = "CONFIG SET maxmemory-policy volatile-lru, so that published metrics are not evicted.";
      results.push(warning("Redis memory", `policy ${policy} may evict what is published`, fix));
    }
    return results;
  } finally {
    redis.disconnect();
  }
}
