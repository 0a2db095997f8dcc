/**
 * Redis as a target. A version is one hash under its own key; a pointer names the newest. A script moves the
 * pointer, and refuses when it already stands on a newer version.
 */
import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import { messageOf, TransientError } from "../../lakehouse/errors.ts";
import { type PublishedVersion, type PublishStatus, type PublishTarget, toJson } from "./target.ts";
import { MOST_TRIES, parseVersion, readContention } from "./version-schema.ts";

/** Seconds that a superseded version stays for readers who hold the old pointer. */
const GRACE = 60;
/** Seconds after which a staged version whose publisher died disappears. */
const STAGED = 600;

/**
 * KEYS: pointer, staged version, final key, former version's key prefix. ARGV: token, grace, expiry (0: none),
 * channel, message. The pointer never expires, or an older version could come back after it. All keys of a set share a hash tag, so that they live on one node of a cluster.
 */
const MOVE_POINTER = `
local current = redis.call('GET', KEYS[1])
if current and current > ARGV[1] then
  redis.call('UNLINK', KEYS[2])
  return 'stale'
end
local status = 'published'
if current == ARGV[1] and redis.call('EXISTS', KEYS[3]) == 1 then
  status = 'unchanged'
end
redis.call('RENAME', KEYS[2], KEYS[3])
if tonumber(ARGV[3]) > 0 then
  redis.call('EXPIRE', KEYS[3], ARGV[3])
else
  redis.call('PERSIST', KEYS[3])
end
if status == 'unchanged' then
  return status
end
redis.call('SET', KEYS[1], ARGV[1])
if current and current ~= ARGV[1] then
  redis.call('EXPIRE', KEYS[4] .. current, ARGV[2])
end
redis.call('PUBLISH', ARGV[4], ARGV[5])
return status`;

export class RedisTarget implements PublishTarget {
  readonly name: string;
  private readonly redis: Redis;
  private readonly now: () => number;

  private constructor(redis: Redis, name: string, now: () => number) {
    this.redis = redis;
    this.name = name;
    this.now = now;
  }

  /** Connects, or says in one sentence why not. `url`: redis:// or rediss://, with password and database as usual. */
  static async connect(url: string, now: () => number = Date.now): Promise<RedisTarget> {
    const redis = new Redis(url, {
      lazyConnect: true,
      // It asks INFO, which a user of few rights may not.
      enableReadyCheck: false,
      connectTimeout: 5000,
      maxRetriesPerRequest: 2,
      retryStrategy: (attempt) => (attempt > 2 ? null : 100 * attempt),
    });
    let reason: unknown;
    redis.on("error", (error) => {
      reason = error;
    });
    const address = addressOf(url);
    try {
      await redis.connect();
      await redis.ping();
      return new RedisTarget(redis, `Redis at ${address}`, now);
    } catch (error) {
      redis.disconnect();
      throw new TransientError(`cannot use Redis at ${address}: ${messageOf(reason ?? error)}`, {
        code: "REDIS_UNREACHABLE",
        value: address,
        next: "Check REDIS_URL; without it the metrics are published as files in the lake.",
        cause: reason ?? error,
      });
    }
  }

  async publish(version: PublishedVersion): Promise<PublishStatus> {
    const { set, token } = version;
    const prefix = `ingot:{${set}}:`;
    const staged = `${prefix}staged:${randomUUID()}`;
    const expiry = version.expiresAt
      ? Math.max(1, Math.ceil((Date.parse(version.expiresAt) - this.now()) / 1000))
      : 0;
    await this.redis
      .pipeline()
      .hset(staged, {
        token,
        version: version.version,
        publishedAt: version.publishedAt,
        json: toJson(version),
      })
      .expire(staged, STAGED)
      .exec()
      .then(failOnAny);
    const status = await this.redis.eval(
      MOVE_POINTER,
      4,
      `${prefix}current`,
      staged,
      `${prefix}${token}`,
      prefix,
      token,
      GRACE,
      expiry,
      `ingot:${set}`,
      JSON.stringify({ set, token, version: version.version, publishedAt: version.publishedAt }),
    );
    return status as PublishStatus;
  }

  async read(set: string): Promise<PublishedVersion | undefined> {
    const prefix = `ingot:{${set}}:`;
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const token = await this.redis.get(`${prefix}current`);
      if (token === null) return undefined;
      const json = await this.redis.hget(`${prefix}${token}`, "json");
      if (json !== null) return parseVersion(json, `${this.name}, ${prefix}${token}`, this.now());
      // Superseded a grace period ago, or gone: only a pointer that has not moved means that it is gone.
      if ((await this.redis.get(`${prefix}current`)) === token) return undefined;
    }
    throw readContention(set);
  }

  async close(): Promise<void> {
    await this.redis.quit().catch(() => this.redis.disconnect());
  }
}

function failOnAny(results: [Error | null, unknown][] | null): void {
  for (const [error] of results ?? []) if (error) throw error;
}

/** host:port/database, never the password. */
function addressOf(url: string): string {
  try {
    const { hostname, port, pathname } = new URL(url);
    return `${hostname || "localhost"}:${port || "6379"}${pathname}`;
  } catch {
    return "the address in REDIS_URL";
  }
}
