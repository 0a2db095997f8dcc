import { describe, expect, it } from "vitest";
import { cleanVersions } from "../../layers/publish/redis/clean.ts";
import { RedisTarget } from "../../layers/publish/redis.ts";
import { redisAvailable, useRedis } from "../support/redis.ts";
import { publicationOf, rowsOf } from "./publications.ts";

const lookup = { kind: "lookup", by: ["i"] } as const;

describe.skipIf(!redisAvailable)("Redis as a target", () => {
  const redis = useRedis();
  const withTarget = async (work: (target: RedisTarget, set: string, prefix: string) => Promise<void>) => {
    const target = await RedisTarget.connect(redis.url);
    const set = `shop/m${crypto.randomUUID()}`;
    try {
      await work(target, set, `ingot:{${set}}`);
    } finally {
      await target.close();
    }
  };
  const keyOf = async (prefix: string) => (await redis.client.hget(prefix, "key")) ?? "";

  it("has structures that any client reads, under the key that the pointer names", () =>
    withTarget(async (target, set, prefix) => {
      const rows = rowsOf(1, 3);
      await target.publish(publicationOf(set, { version: 1, rows }));
      expect(await redis.client.lrange(await keyOf(prefix), 0, -1)).toEqual(
        rows.map((row) => JSON.stringify(row)),
      );
      await target.publish(publicationOf(set, { version: 2, rows, form: ranking }));
      expect(await redis.client.zrevrange(await keyOf(prefix), 0, 1, "WITHSCORES")).toEqual([
        "2",
        "2",
        "1",
        "1",
      ]);
      await target.publish(publicationOf(set, { version: 3, rows, form: { kind: "series", time: "i" } }));
      expect(await redis.client.zrangebyscore(await keyOf(prefix), 1, 1)).toEqual([JSON.stringify(rows[1])]);
      const fields = { kind: "hash", field: "i", value: "version" } as const;
      await target.publish(publicationOf(set, { version: 4, rows, form: fields }));
      expect(await redis.client.hgetall(await keyOf(prefix))).toEqual({ 0: "1", 1: "1", 2: "1" });
      const row = [{ i: 1, version: 2.5, filler: null }];
      await target.publish(publicationOf(set, { version: 5, rows: row, form: { kind: "hash" } }));
      expect(await redis.client.hgetall(await keyOf(prefix))).toEqual({ i: "1", version: "2.5" });
      await target.publish(
        publicationOf(set, { version: 6, rows: row, form: { kind: "scalar", value: "version" } }),
      );
      expect(await redis.client.get(await keyOf(prefix))).toBe("2.5");
      await target.publish(publicationOf(set, { version: 7, rows, form: lookup }));
      const digest = await redis.client.hget(await keyOf(prefix), "2");
      expect(await redis.client.get(`${prefix}:row:2:${digest}`)).toBe(JSON.stringify(rows[2]));
      // Whatever its form, a set reads as rows.
      expect((await target.read(set))?.rows).toEqual(rows);
    }));

  it("publishes under a declared key, and is found there by the set's name", () =>
    withTarget(async (target, set, prefix) => {
      const key = `shop:top:${crypto.randomUUID()}`;
      await target.publish(publicationOf(set, { version: 1, key }));
      expect(await redis.client.exists(prefix)).toBe(0);
      expect(await redis.client.hget(`{${key}}`, "current")).toContain("000000000000001");
      expect((await target.read(set))?.version).toBe(1);
      await target.publish(publicationOf(set, { version: 2 }));
      expect((await target.read(set))?.version).toBe(2);
    }));

  it("tells a message and an entry of a bounded stream", () =>
    withTarget(async (target, set, prefix) => {
      const subscriber = redis.client.duplicate();
      await subscriber.subscribe(`ingot:${set}`);
      const messages: string[] = [];
      subscriber.on("message", (_channel, text) => messages.push(text));
      await target.publish(publicationOf(set, { version: 5 }));
      await target.publish(publicationOf(set, { version: 6 }));
      await target.rollback(set);
      await expect.poll(() => messages).toHaveLength(3);
      const events = await redis.client.xrange(`${prefix}:events`, "-", "+");
      expect(messages.map((text) => JSON.parse(text))).toMatchObject([
        { set, version: 5, rolledBack: false, id: events[0]?.[0] },
        { set, version: 6, rolledBack: false, id: events[1]?.[0] },
        {
          set,
          version: 5,
          rolledBack: true,
          id: events[2]?.[0],
          source: { "bronze.orders": { lsn: "0/16B3748" } },
        },
      ]);
      await subscriber.quit();
    }));

  const ranking = { kind: "ranking", member: "i", score: "i" } as const;
  for (const form of [{ kind: "list" } as const, ranking, lookup]) {
    it(`publishes a ${form.kind} again of which a part is lost, be it the pointer or any key`, () =>
      withTarget(async (target, set, prefix) => {
        const publication = publicationOf(set, { version: 1, form });
        const rowsKey = async () => `${await keyOf(prefix)}${form.kind === "list" ? "" : ":rows"}`;
        const row = async () => `${prefix}:row:7:${await redis.client.hget(await keyOf(prefix), "7")}`;
        const losses = {
          pointer: () => redis.client.del(prefix),
          fence: () => redis.client.hdel(prefix, "newest"),
          form: async () => redis.client.del(await keyOf(prefix)),
          rows: async () => redis.client.del(form.kind === "lookup" ? await row() : await rowsKey()),
          all: async () => redis.client.flushall(),
        };
        await target.publish(publication);
        for (const [lost, lose] of Object.entries(losses)) {
          await lose();
          // Of a ranking only the structure for others is gone.
          const isReadable = lost === "form" && form.kind === "ranking";
          expect([lost, await target.read(set)]).toEqual([lost, isReadable ? expect.anything() : undefined]);
          expect([lost, (await target.publish(publication)).status]).toEqual([lost, "published"]);
          expect([lost, (await target.publish(publication)).status]).toEqual([lost, "unchanged"]);
          expect((await target.read(set))?.rows).toHaveLength(50);
        }
      }));
  }

  it("restores only the rows of a lookup that are gone", () =>
    withTarget(async (target, set, prefix) => {
      const publication = publicationOf(set, { version: 1, form: lookup });
      await target.publish(publication);
      const digest = await redis.client.hget(await keyOf(prefix), "7");
      await redis.client.del(`${prefix}:row:7:${digest}`);
      expect(await target.readRow(set, ["7"])).toBeUndefined();
      expect(await target.publish(publication)).toEqual({ status: "published", rows: 50, written: 1 });
      expect(await target.readRow(set, ["7"])).toMatchObject({ i: 7 });
    }));

  it("refuses to finish what was begun before Redis was emptied, for it may be old by now", () =>
    withTarget(async (target, set) => {
      await target.publish(publicationOf(set, { version: 9 }));
      for (const form of [{ kind: "list" } as const, lookup]) {
        let emptied = false;
        const before = async () => {
          if (emptied) return;
          emptied = true;
          await redis.client.flushall();
          await target.publish(publicationOf(set, { version: 12 }));
          await redis.client.flushall();
        };
        const slow = publicationOf(set, { version: 10, form, before, rows: rowsOf(10, 60_000) });
        await expect(target.publish(slow)).rejects.toMatchObject({ code: "PUBLISH_SET_LOST" });
        expect(await target.read(set)).toBeUndefined();
      }
    }));

  it("keeps what a slow publisher reuses, whatever others clean away meanwhile", () =>
    withTarget(async (target, set) => {
      const rows = (version: number) =>
        rowsOf(version, 60).map((row) => (row.i < 30 ? row : { ...row, version: 0 }));
      await target.publish(publicationOf(set, { version: 1, form: lookup, rows: rows(1) }));
      let others = false;
      const before = async () => {
        if (others) return;
        others = true;
        // None of these has a row of version 1: all of its rows are cleaned away.
        for (const version of [2, 3, 4, 5, 6, 7, 8, 9]) {
          await target.publish(publicationOf(set, { version, form: lookup, rows: rowsOf(version, 3) }));
        }
      };
      const slow = publicationOf(set, { version: 10, form: lookup, rows: rows(1), before });
      expect((await target.publish(slow)).status).toBe("published");
      expect((await target.read(set))?.rows).toHaveLength(60);
    }));

  it("keeps rows that are the same in a version that is being staged and one that goes", () =>
    withTarget(async (target, set, prefix) => {
      await target.publish(publicationOf(set, { version: 1, form: lookup, rows: rowsOf(1, 60) }));
      let batches = 0;
      const before = async () => {
        batches += 1;
        // Its first rows are in its manifest by now.
        if (batches !== 3) return;
        for (const version of [2, 3]) {
          await target.publish(publicationOf(set, { version, form: lookup, rows: rowsOf(version, 3) }));
        }
        await cleanVersions(redis.client, prefix, { grace: -1 });
      };
      const slow = publicationOf(set, { version: 10, form: lookup, rows: rowsOf(1, 60), before });
      const outcome = await target.publish(slow);
      expect(outcome.status).toBe("published");
      expect(outcome.written).toBeLessThan(60);
      expect((await target.read(set))?.rows).toEqual(
        [...rowsOf(1, 60)].sort((a, b) => (String(a.i) < String(b.i) ? -1 : 1)),
      );
    }));

  it("does not show what is being cleaned away", () =>
    withTarget(async (target, set, prefix) => {
      await target.publish(publicationOf(set, { version: 1 }));
      for (const form of [{ kind: "list" } as const, lookup]) {
        const before = async () => {
          // As a cleaner marks it, which takes its publisher for dead.
          for (const id of await redis.client.zrange(`${prefix}:versions`, 0, "-1")) {
            if (id.includes("000000000000002")) await redis.client.hdel(`${prefix}:v:${id}`, "token");
          }
        };
        const slow = publicationOf(set, { version: 2, form, before, rows: rowsOf(2, 60_000) });
        await expect(target.publish(slow)).rejects.toMatchObject({ code: "PUBLISH_SET_LOST" });
        expect((await target.read(set))?.version).toBe(1);
      }
    }));

  it("tells subscribers nothing older where Redis was set back", () =>
    withTarget(async (target, set) => {
      const seen: number[] = [];
      await target.publish(publicationOf(set, { version: 2 }));
      const subscription = await target.subscribe(set, ({ version }) => {
        seen.push(version);
      });
      await expect.poll(() => seen).toEqual([2]);
      await redis.client.flushall();
      await target.publish(publicationOf(set, { version: 1 }));
      await target.publish(publicationOf(set, { version: 3 }));
      await expect.poll(() => seen, { timeout: 20_000 }).toContain(3);
      expect(seen).toEqual([2, 3]);
      await subscription.close();
    }));

  it("removes what nobody needs, and of a publisher that died", () =>
    withTarget(async (target, set, prefix) => {
      for (let version = 1; version <= 12; version++) {
        const form = version % 2 === 0 ? lookup : ({ kind: "ranking", member: "i", score: "i" } as const);
        await target.publish(publicationOf(set, { version, form }));
      }
      const dying = publicationOf(set, {
        version: 13,
        form: lookup,
        before: async () => {
          // As if the process had ended here: what it staged stays.
          throw new Error("killed");
        },
      });
      await expect(target.publish(dying)).rejects.toThrow("killed");
      await redis.client.hset(`${prefix}:v:ghost`, { key: `${prefix}:ghost`, kind: "lookup" });
      await redis.client.zadd(`${prefix}:versions`, 1, "ghost");
      await redis.client.hset(`${prefix}:ghost`, { row: "digest" });
      await redis.client.set(`${prefix}:row:row:digest`, "{}");
      await cleanVersions(redis.client, prefix, { grace: -1 });
      const keys = await redis.client.keys(`${prefix.replace(/[[\]?*]/g, "\\$&")}*`);
      // Pointer, versions, events; two versions: one ranking with its rows, one lookup of 50 rows.
      expect(keys.filter((key) => key.includes(":row:"))).toHaveLength(50);
      expect(keys.filter((key) => !key.includes(":row:"))).toHaveLength(3 + 2 + 2 + 1);
      expect(await redis.client.zcard(`${prefix}:versions`)).toBe(2);
      expect((await target.rollback(set))?.version).toBe(11);
    }));

  it("gives all keys of a set that expires a time to live, and takes it from them again", () =>
    withTarget(async (target, set, prefix) => {
      const lives = async () => {
        const keys = (await redis.client.keys(`${prefix}*`)).filter(
          (key) => key !== prefix && !/:(versions|events)$/.test(key),
        );
        return Promise.all(keys.map((key) => redis.client.ttl(key)));
      };
      const expiresAt = new Date(Date.now() + 100_000).toISOString();
      for (const [version, form] of [
        [1, lookup] as const,
        [2, { kind: "ranking", member: "i", score: "i" }] as const,
      ]) {
        await target.publish(publicationOf(set, { version, form, expiresAt }));
      }
      expect((await lives()).every((ttl) => ttl > 0 && ttl <= 100)).toBe(true);
      await target.publish(
        publicationOf(set, { version: 2, form: { kind: "ranking", member: "i", score: "i" } }),
      );
      expect((await lives()).filter((ttl) => ttl === -1)).toHaveLength(3);
      const other = publicationOf(set, { version: 3, form: lookup, rows: rowsOf(1) });
      expect((await target.publish(other)).written).toBe(0);
      expect((await lives()).filter((ttl) => ttl === -1)).toHaveLength(3 + 52);
    }));

  it("says in one sentence that the password is wrong, without telling it", async () => {
    const url = new URL(redis.url);
    url.password = "wrong-secret";
    const failure = await RedisTarget.connect(url.href).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "REDIS_UNREACHABLE" });
    expect(String(failure)).not.toContain("wrong-secret");
  });

  it("says that something else is kept under its keys", () =>
    withTarget(async (target, set, prefix) => {
      await redis.client.set(prefix, "mine");
      await expect(target.publish(publicationOf(set, { version: 1 }))).rejects.toMatchObject({
        code: "REDIS_FOREIGN_KEYS",
      });
    }));
});
