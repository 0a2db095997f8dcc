import { mkdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { createMetricsClient, type MetricsPlace } from "../../layers/publish/client.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { RedisTarget } from "../../layers/publish/redis.ts";
import type { PublishTarget, VersionEvent } from "../../layers/publish/target.ts";
import { useFolder } from "../support/folder.ts";
import { redisAvailable, useRedis } from "../support/redis.ts";
import { publicationOf, rowsOf } from "./publications.ts";

const folder = useFolder();
const lookup = { kind: "lookup", by: ["i"] } as const;

/** What a client promises, wherever it reads. */
function suite(open: () => Promise<{ target: PublishTarget; where: MetricsPlace }>): void {
  it("reads, looks up, lists, and ends subscriptions by their signal", async () => {
    const { target, where } = await open();
    const client = await createMetricsClient({ ...where, pipeline: "shop" });
    const any = await createMetricsClient(where);
    try {
      await target.publish(publicationOf("shop/top", { version: 3 }));
      await target.publish(publicationOf("shop/by_id", { version: 4, form: lookup }));
      await target.publish(publicationOf("shop/keyed", { version: 5, key: "own:key" }));
      await target.publish(
        publicationOf("shop/gone", { version: 6, expiresAt: new Date(1000).toISOString() }),
      );
      await target.publish(publicationOf("shop2/other", { version: 7 }));
      expect((await client.get("top"))?.rows).toEqual(rowsOf(3));
      expect((await any.get("shop", "top"))?.version).toBe(3);
      expect(await client.get("nothing")).toBeUndefined();
      await expect(client.row("top", 7)).rejects.toMatchObject({ code: "METRICS_NO_LOOKUP", value: "list" });
      expect(await client.row("by_id", 77)).toBeUndefined();
      expect(await client.row("by_id", 7)).toMatchObject({ i: 7, version: 4 });
      expect(await any.row("shop", "by_id", 7n)).toMatchObject({ i: 7, version: 4 });
      const listed = await client.list();
      expect(listed.map(({ set, version }) => [set, version])).toEqual([
        ["shop/by_id", 4],
        ["shop/keyed", 5],
        ["shop/top", 3],
      ]);
      const { rows: _, ...stamp } = (await client.get("top")) ?? { rows: [] };
      expect(listed.at(-1)).toEqual(stamp);
      expect(await any.list("nothing")).toEqual([]);
      expect((await any.list()).map(({ set }) => set)).toEqual([
        "shop/by_id",
        "shop/keyed",
        "shop/top",
        "shop2/other",
      ]);
      // Asked as a client of one pipeline is; only callers without types can.
      const untyped = any as unknown as {
        get(name: string): Promise<unknown>;
        row(name: string): Promise<unknown>;
      };
      await expect(untyped.get("top")).rejects.toMatchObject({ code: "METRICS_NAME" });
      await expect(untyped.row("by_id")).rejects.toMatchObject({ code: "METRICS_NAME" });

      const leaving = new AbortController();
      const seen: VersionEvent[] = [];
      const subscription = await client.subscribe(
        "top",
        (event) => {
          seen.push(event);
          leaving.abort();
        },
        { signal: leaving.signal },
      );
      await subscription.done;
      expect(seen.map(({ version }) => version)).toEqual([3]);
      await target.publish(publicationOf("shop/top", { version: 8 }));
      // From the last event: what came meanwhile, and not what was seen.
      const again = new AbortController();
      const resumed = await any.subscribe(
        "shop",
        "top",
        (event) => {
          seen.push(event);
          again.abort();
        },
        { from: seen[0]?.id ?? "", signal: again.signal },
      );
      await resumed.done;
      expect(seen.map(({ version }) => version)).toEqual([3, 8]);
      const late = await client.subscribe("top", () => {}, { signal: AbortSignal.abort() });
      await late.done;
    } finally {
      await Promise.all([client.close(), any.close(), target.close()]);
    }
  });
}

describe("in files", () =>
  suite(async () => {
    const lake = `${folder.path}/${crypto.randomUUID()}`;
    await mkdir(lake);
    return { target: new EmbeddedTarget(new LocalStore(lake)), where: { lake } };
  }));

it("says what is missing where it is not told where metrics are, or no lake is there", async () => {
  const nowhere = [{}, { redis: undefined }, { redis: "" }, { lake: "", pipeline: "shop" }];
  for (const where of nowhere as unknown as MetricsPlace[]) {
    await expect(createMetricsClient(where)).rejects.toMatchObject({
      code: "METRICS_PLACE",
      message: expect.stringContaining("say redis or lake"),
    });
  }
  const lake = `${folder.path}/nowhere`;
  await expect(createMetricsClient({ lake })).rejects.toMatchObject({ code: "METRICS_NO_LAKE", value: lake });
});

describe.skipIf(!redisAvailable)("in Redis", () => {
  const redis = useRedis();
  suite(async () => ({ target: await RedisTarget.connect(redis.url), where: { redis: redis.url } }));
});
