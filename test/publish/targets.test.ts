import { describe, expect, it } from "vitest";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { RedisTarget } from "../../layers/publish/redis.ts";
import { type PublishedVersion, type PublishTarget, versionToken } from "../../layers/publish/target.ts";
import { useFolder } from "../support/folder.ts";
import { redisAvailable, useRedis } from "../support/redis.ts";

const folder = useFolder();

/** A version whose rows all carry its number, so that a mixture would show. */
function versionOf(set: string, version: number, created = 1): PublishedVersion {
  const rows = Array.from({ length: 50 }, (_, i) => ({ i, version, filler: "x".repeat(100) }));
  return {
    set,
    token: versionToken(created, version),
    version,
    publishedAt: new Date(0).toISOString(),
    rows,
  };
}

function suite(makeTarget: () => Promise<PublishTarget>): void {
  const withTarget = async (work: (target: PublishTarget, set: string) => Promise<void>) => {
    const target = await makeTarget();
    try {
      await work(target, `shop/m${crypto.randomUUID()}`);
    } finally {
      await target.close();
    }
  };

  it("publishes, replaces, and says when nothing is new or the version is stale", () =>
    withTarget(async (target, set) => {
      expect(await target.read(set)).toBeUndefined();
      expect(await target.publish(versionOf(set, 1))).toBe("published");
      expect(await target.publish(versionOf(set, 3))).toBe("published");
      expect(await target.publish(versionOf(set, 3))).toBe("unchanged");
      expect(await target.publish(versionOf(set, 2))).toBe("stale");
      expect(await target.read(set)).toMatchObject({ version: 3, rows: versionOf(set, 3).rows });
    }));

  it("takes a table that was made anew for newer, though its versions begin again", () =>
    withTarget(async (target, set) => {
      expect(await target.publish(versionOf(set, 40, 1_700_000_000_000))).toBe("published");
      expect(await target.publish(versionOf(set, 0, 1_800_000_000_000))).toBe("published");
      expect(await target.publish(versionOf(set, 41, 1_700_000_000_000))).toBe("stale");
      expect((await target.read(set))?.version).toBe(0);
    }));

  it("shows whole versions that never go back, with publishers racing out of order", () =>
    withTarget(async (target, set) => {
      await target.publish(versionOf(set, 0));
      let done = false;
      const reader = (async () => {
        let last = 0;
        let reads = 0;
        while (!done) {
          const seen = await target.read(set);
          expect(new Set(seen?.rows.map((row) => row.version))).toEqual(new Set([seen?.version]));
          expect(seen?.version).toBeGreaterThanOrEqual(last);
          last = seen?.version ?? last;
          reads += 1;
        }
        return reads;
      })();
      const order = Array.from({ length: 60 }, (_, i) => 1 + ((i * 37) % 60));
      for (let i = 0; i < order.length; i += 4) {
        await Promise.all(order.slice(i, i + 4).map((version) => target.publish(versionOf(set, version))));
      }
      done = true;
      expect(await reader).toBeGreaterThan(0);
      expect((await target.read(set))?.version).toBe(60);
    }));

  it("gives a version that is published again its time again, and keeps older ones out", () =>
    withTarget(async (target, set) => {
      const until = (ms: number) => ({
        ...versionOf(set, 5),
        expiresAt: new Date(Date.now() + ms).toISOString(),
      });
      await target.publish(until(-1000));
      expect(await target.read(set)).toBeUndefined();
      expect(await target.publish(versionOf(set, 4))).toBe("stale");
      await target.publish(until(60_000));
      expect((await target.read(set))?.version).toBe(5);
    }));

  it("counts an expired version as absent", () =>
    withTarget(async (target, set) => {
      const expired = { ...versionOf(set, 1), expiresAt: new Date(Date.now() - 1000).toISOString() };
      await target.publish(expired);
      // Redis needs at least a second of life; the reader looks at the stamp.
      expect(await target.read(set)).toBeUndefined();
    }));
}

describe("the embedded target in memory", () => suite(async () => new EmbeddedTarget(new MemoryStore())));
describe("the embedded target in a folder", () =>
  suite(async () => new EmbeddedTarget(new LocalStore(`${folder.path}/${crypto.randomUUID()}`))));

describe.skipIf(!redisAvailable)("Redis", () => {
  const redis = useRedis();
  suite(() => RedisTarget.connect(redis.url));

  it("leaves superseded versions for a grace period only, and nothing staged", async () => {
    const target = await RedisTarget.connect(redis.url);
    for (const version of [1, 2, 3]) await target.publish(versionOf("shop/ttl", version));
    await target.publish(versionOf("shop/ttl", 2));
    const keys = (await redis.client.keys("ingot:{shop/ttl}:*")).sort();
    expect(keys).toHaveLength(4);
    expect(keys.some((key) => key.includes("staged"))).toBe(false);
    const lives = await Promise.all(keys.map((key) => redis.client.ttl(key)));
    expect(lives.filter((ttl) => ttl === -1)).toHaveLength(2);
    expect(lives.filter((ttl) => ttl > 0 && ttl <= 60)).toHaveLength(2);
    await target.close();
  });

  it("tells subscribers which version is new", async () => {
    const subscriber = redis.client.duplicate();
    await subscriber.subscribe("ingot:shop/push");
    const message = new Promise<string>((resolve) =>
      subscriber.once("message", (_channel, text) => resolve(text)),
    );
    const target = await RedisTarget.connect(redis.url);
    await target.publish(versionOf("shop/push", 5));
    expect(JSON.parse(await message)).toMatchObject({ set: "shop/push", version: 5 });
    await subscriber.quit();
    await target.close();
  });

  it("says in one sentence that the password is wrong, without telling it", async () => {
    const url = new URL(redis.url);
    url.password = "wrong-secret";
    const failure = await RedisTarget.connect(url.href).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "REDIS_UNREACHABLE" });
    expect(String(failure)).not.toContain("wrong-secret");
  });
});
