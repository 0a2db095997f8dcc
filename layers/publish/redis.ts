/**
 * Redis as a target: versions under keys of their own, in structures that any client reads; a pointer names the one
 * that counts. A script moves the pointer, and refuses when a newer version was there.
 */
import { Cluster } from "ioredis";
import { retrying } from "../../lakehouse/retry.ts";
import { cleanVersions } from "./redis/clean.ts";
import { addressOf, connectRedis, type RedisAddress, type RedisClient } from "./redis/connect.ts";
import { redisError, retryCodes } from "./redis/failure.ts";
import { channelOf, EVENTS_KEPT, eventsKey, PREFIXES, prefixOf, versionsKey } from "./redis/keys.ts";
import { readPointer } from "./redis/pointer.ts";
import { publishVersion } from "./redis/publish-version.ts";
import { readLookupRow, readVersion } from "./redis/read.ts";
import { ROLLBACK } from "./redis/scripts.ts";
import { subscribeToStream } from "./redis/subscribe.ts";
import {
  type Publication,
  type PublishedRow,
  type PublishedVersion,
  type PublishOutcome,
  type PublishTarget,
  rowId,
  type SubscribeOptions,
  type Subscription,
  type VersionEvent,
  type VersionStamp,
} from "./target.ts";
import { parseStamp } from "./version-schema.ts";

export class RedisTarget implements PublishTarget {
  readonly name: string;
  private readonly redis: RedisClient;
  /** Whether another server may become the primary. */
  private readonly movable: boolean;
  private readonly now: () => number;

  private constructor(redis: RedisClient, address: RedisAddress, now: () => number) {
    this.redis = redis;
    this.movable = address.sentinels !== undefined || redis instanceof Cluster;
    this.now = now;
    this.name = `Redis at ${addressOf(address)}`;
  }

  /** Connects, or says in one sentence why not: `REDIS_UNREACHABLE`. */
  static async connect(where: string | RedisAddress, now: () => number = Date.now): Promise<RedisTarget> {
    const address = typeof where === "string" ? { url: where } : where;
    return new RedisTarget(await connectRedis(address), address, now);
  }

  /**
   * Rejects with `REDIS_OUT_OF_MEMORY`, `REDIS_READONLY`, `REDIS_FORBIDDEN`, `REDIS_CLUSTER`, `REDIS_FOREIGN_KEYS`,
   * `REDIS_UNAVAILABLE`; with `PUBLISH_SET_LOST` where the set was lost meanwhile. Readers then see what they saw.
   */
  async publish(publication: Publication): Promise<PublishOutcome> {
    const { set, key } = publication;
    const ids: string[] = [];
    const prefix = prefixOf(set, key);
    try {
      const outcome = await this.guarded(() => publishVersion(this.redis, publication, ids, this.now()));
      // Last, so that readers of another prefix have the set there until it is here.
      await this.guarded(() =>
        key === undefined ? this.redis.hdel(PREFIXES, set) : this.redis.hset(PREFIXES, set, prefix),
      );
      return outcome;
    } finally {
      // What a failed try has staged goes at once, which works in a memory that is full; the next call takes the rest.
      await cleanVersions(this.redis, prefix, { abandoned: ids }).catch(() => {});
    }
  }

  async rollback(set: string): Promise<VersionStamp | undefined> {
    return this.guarded(async () => {
      const { prefix } = await readPointer(this.redis, set);
      const keys = [prefix, versionsKey(prefix), eventsKey(prefix)];
      const stamp = await this.redis.eval(ROLLBACK, 3, ...keys, EVENTS_KEPT, channelOf(set));
      return typeof stamp === "string" ? parseStamp(stamp, prefix) : undefined;
    });
  }

  read(set: string): Promise<PublishedVersion | undefined> {
    return this.guarded(() => readVersion(this.redis, set, this.now()));
  }

  readRow(set: string, key: readonly string[]): Promise<PublishedRow | undefined> {
    return this.guarded(() => readLookupRow(this.redis, set, rowId(key), this.now()));
  }

  async subscribe(
    set: string,
    onVersion: (event: VersionEvent) => void | Promise<void>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    return subscribeToStream(this.redis, set, onVersion, options);
  }

  async close(): Promise<void> {
    await this.redis.quit().catch(() => this.redis.disconnect());
  }

  /** Tries again what a lost connection or a server that starts has kept from happening; says what cannot be done. */
  private async guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await retrying(work, { codesOf: (error) => retryCodes(error, this.movable) });
    } catch (error) {
      throw redisError(error, this.name);
    }
  }
}
