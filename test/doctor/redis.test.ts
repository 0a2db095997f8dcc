import { describe, expect, it } from "vitest";
import { attempt } from "../../jobs/doctor/check.ts";
import { checkRedis } from "../../jobs/doctor/redis.ts";
import { redisAvailable, useRedis } from "../support/redis.ts";
import { withUser } from "./setup.ts";

const redisAt = (url: string | undefined) => attempt("Redis", "", () => checkRedis(url));

it("needs none", async () => {
  expect(await redisAt(undefined)).toMatchObject([
    { status: "skipped", found: expect.stringContaining("embedded target") },
  ]);
});

it("nobody answers", async () => {
  expect(await redisAt("redis://:s3cret@127.0.0.1:1")).toMatchObject([
    {
      status: "failed",
      found: expect.stringContaining("ECONNREFUSED"),
      fix: expect.stringContaining("REDIS_URL"),
    },
  ]);
});

describe.skipIf(!redisAvailable)("with a server", () => {
  const redis = useRedis();

  const as = (user: string, password: string) => withUser(redis.url, user, password);

  it("all is well, and no key is left", async () => {
    expect(await redisAt(redis.url)).toMatchObject([
      { status: "ok", found: expect.stringMatching(/^\d+\./) },
    ]);
    expect(await redis.client.keys("ingot:doctor:*")).toEqual([]);
  });

  it("a wrong password", async () => {
    const results = await redisAt(as("", "s3cret"));
    expect(results).toMatchObject([{ status: "failed", found: expect.stringContaining("WRONGPASS") }]);
    expect(JSON.stringify(results)).not.toContain("s3cret");
  });

  it("a user without rights is told which, one after the other, until they are enough", async () => {
    await redis.client.call("ACL", "SETUSER", "mere", "on", ">s3cret", "+@read", "+@connection");
    for (const expected of ["+@write", "~ingot:*"]) {
      const [result] = await redisAt(as("mere", "s3cret"));
      expect(result).toMatchObject({ status: "failed", found: expect.stringMatching(/NOPERM|permission/i) });
      const fix = result?.fix ?? "";
      expect(fix).toMatch(/^ACL SETUSER mere /);
      expect(fix).toContain(expected);
      const [command = "", ...words] = fix.split(" ");
      await redis.client.call(command, words);
    }
    expect(await redisAt(as("mere", "s3cret"))).toMatchObject([{ status: "ok" }]);
  });

  it("a replica", async () => {
    // Of a primary that is not there: it refuses writes all the same.
    await redis.client.call("REPLICAOF", "127.0.0.1", "1");
    expect(await redisAt(redis.url)).toMatchObject([
      { status: "failed", fix: expect.stringContaining("primary") },
    ]);
    await redis.client.call("REPLICAOF", "NO", "ONE");
  });

  it("a cache that evicts whatever it likes", async () => {
    await redis.client.config("SET", "maxmemory-policy", "allkeys-lru");
    expect(await redisAt(redis.url)).toMatchObject([
      { name: "Redis", status: "ok" },
      { status: "warning", fix: expect.stringContaining("volatile-lru") },
    ]);
    await redis.client.config("SET", "maxmemory-policy", "noeviction");
  });

  it("memory that is full", async () => {
    await redis.client.config("SET", "maxmemory", "1");
    expect(await redisAt(redis.url)).toMatchObject([
      { status: "failed", fix: expect.stringContaining("maxmemory") },
    ]);
    await redis.client.config("SET", "maxmemory", "0");
  });
});
