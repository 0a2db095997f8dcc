import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { MemoryStore } from "../../lakehouse/store/memory.ts";
import { EmbeddedTarget } from "../../layers/publish/embedded.ts";
import { PostgresTableTarget } from "../../layers/publish/postgres-table.ts";
import { RedisTarget } from "../../layers/publish/redis.ts";
import type { PublishTarget } from "../../layers/publish/target.ts";
import { WebhookTarget } from "../../layers/publish/webhook.ts";
import { useFolder } from "../support/folder.ts";
import { useDatabase } from "../support/postgres.ts";
import { redisAvailable, useRedis } from "../support/redis.ts";
import { listen } from "./listen.ts";
import { publicationOf, rowsOf } from "./publications.ts";

const folder = useFolder();
const lookup = { kind: "lookup", by: ["i"] } as const;

/** What every target promises. `inTurn`: publishers of a set wait for each other, so that none can overtake. */
function suite(makeTarget: () => Promise<PublishTarget>, { inTurn = false } = {}): void {
  const withTarget = async (work: (target: PublishTarget, set: string) => Promise<void>) => {
    const target = await makeTarget();
    try {
      await work(target, `shop/m${crypto.randomUUID().replaceAll("-", "")}`);
    } finally {
      await target.close();
    }
  };
  const put = async (target: PublishTarget, ...given: Parameters<typeof publicationOf>) =>
    (await target.publish(publicationOf(...given))).status;

  it("publishes, replaces, and says when nothing is new or the version is stale", () =>
    withTarget(async (target, set) => {
      expect(await target.read(set)).toBeUndefined();
      expect(await target.publish(publicationOf(set, { version: 1 }))).toEqual({
        status: "published",
        rows: 50,
        written: 50,
      });
      expect(await put(target, set, { version: 3 })).toBe("published");
      expect(await put(target, set, { version: 3 })).toBe("unchanged");
      expect(await put(target, set, { version: 2 })).toBe("stale");
      const {
        rows: _rows,
        columns: _columns,
        form: _form,
        fingerprint: _f,
        key: _k,
        ...stamp
      } = publicationOf(set, { version: 3 });
      expect(await target.read(set)).toEqual({ ...stamp, rows: rowsOf(3) });
    }));

  it("publishes the same version again where it was declared otherwise", () =>
    withTarget(async (target, set) => {
      await put(target, set, { version: 1 });
      expect(await put(target, set, { version: 1, rows: rowsOf(1, 10), fingerprint: "other" })).toBe(
        "published",
      );
      expect((await target.read(set))?.rows).toEqual(rowsOf(1, 10));
    }));

  it("holds no rows as well as many", () =>
    withTarget(async (target, set) => {
      await put(target, set, { version: 1, rows: [] });
      expect((await target.read(set))?.rows).toEqual([]);
      expect(await put(target, set, { version: 1, rows: [] })).toBe("unchanged");
      await put(target, set, { version: 2, rows: rowsOf(2, 3_000) });
      expect((await target.read(set))?.rows).toEqual(rowsOf(2, 3_000));
      await put(target, set, { version: 3, rows: [] });
      expect((await target.read(set))?.rows).toEqual([]);
    }));

  it("does not write again what is the same", () =>
    withTarget(async (target, set) => {
      await put(target, set, { version: 1, rows: rowsOf(1) });
      const again = await target.publish(publicationOf(set, { version: 2, rows: rowsOf(1) }));
      expect(again).toMatchObject({ status: "published", rows: 50, written: 0 });
      expect(await target.read(set)).toMatchObject({ version: 2, rows: rowsOf(1) });
      // The version that shares rows with one that goes keeps them.
      for (const version of [3, 4, 5, 6, 7, 8, 9]) {
        await put(target, set, { version, rows: rowsOf(version % 2) });
      }
      expect((await target.read(set))?.rows).toEqual(rowsOf(1));
    }));

  it("keeps rows that many versions share, whichever of them go", () =>
    withTarget(async (target, set) => {
      await put(target, set, { version: 1, rows: rowsOf(1) });
      for (const version of [2, 3, 4, 5, 6, 7, 8, 9]) {
        const outcome = await target.publish(publicationOf(set, { version, rows: rowsOf(1) }));
        expect(outcome).toMatchObject({ status: "published", written: 0 });
        expect((await target.read(set))?.rows).toEqual(rowsOf(1));
      }
    }));

  // Publications that wait for each other cannot overtake.
  const overlapping = inTurn ? [] : ["overlapping"];
  it.each(overlapping)(
    "refuses what was begun before a newer version came, and what is newer than many others not",
    () =>
      withTarget(async (target, set) => {
        for (const form of [{ kind: "list" } as const, lookup]) {
          const start = form.kind === "list" ? 0 : 100;
          await put(target, set, { version: start + 1, form });
          let overtaken = false;
          const overtake = (versions: readonly number[]) => async () => {
            if (overtaken) return;
            overtaken = true;
            for (const version of versions) await put(target, set, { version: start + version, form });
          };
          expect(await put(target, set, { version: start + 2, form, before: overtake([3]) })).toBe("stale");
          expect((await target.read(set))?.version).toBe(start + 3);
          overtaken = false;
          const before = overtake([4, 5, 6, 7, 8, 9, 10, 11, 12]);
          expect(await put(target, set, { version: start + 50, form, before })).toBe("published");
          expect((await target.read(set))?.version).toBe(start + 50);
        }
      }),
  );

  it("looks rows up by key, and writes only those that differ", () =>
    withTarget(async (target, set) => {
      const changed = (version: number) => [
        ...rowsOf(1, 49).map((row) => (row.i < 5 ? { ...row, version } : row)),
        { i: 100 + version, version, filler: "new" },
      ];
      await put(target, set, { version: 1, form: lookup });
      for (const version of [2, 3, 4, 5, 6, 7, 8]) {
        await put(target, set, { version, form: lookup, rows: changed(version) });
        expect(await target.readRow(set, ["3"])).toMatchObject({ version });
        expect(await target.readRow(set, ["10"])).toMatchObject({ version: 1 });
        expect(await target.readRow(set, ["49"])).toBeUndefined();
        expect(await target.readRow(set, [String(99 + version)])).toBeUndefined();
        const rows = (await target.read(set))?.rows ?? [];
        expect([...rows].sort((a, b) => Number(a.i) - Number(b.i))).toEqual(changed(version));
      }
    }));

  it("takes a table that was made anew for newer, though its versions begin again", () =>
    withTarget(async (target, set) => {
      expect(await put(target, set, { version: 40, created: 1_700_000_000_000 })).toBe("published");
      expect(await put(target, set, { version: 0, created: 1_800_000_000_000 })).toBe("published");
      expect(await put(target, set, { version: 41, created: 1_700_000_000_000 })).toBe("stale");
      expect((await target.read(set))?.version).toBe(0);
    }));

  it("goes back to the version before, until newer data comes", () =>
    withTarget(async (target, set) => {
      expect(await target.rollback(set)).toBeUndefined();
      await put(target, set, { version: 1 });
      expect(await target.rollback(set)).toBeUndefined();
      await put(target, set, { version: 2 });
      await put(target, set, { version: 3, rows: [...rowsOf(3, 30), ...rowsOf(2).slice(30)] });
      expect(await target.rollback(set)).toMatchObject({ version: 2 });
      expect(await target.read(set)).toMatchObject({ version: 2, rows: rowsOf(2) });
      // There is one way back, not two.
      expect(await target.rollback(set)).toBeUndefined();
      expect(await put(target, set, { version: 3 })).toBe("held");
      expect(await put(target, set, { version: 2 })).toBe("stale");
      expect((await target.read(set))?.version).toBe(2);
      expect(await put(target, set, { version: 4 })).toBe("published");
      expect(await target.read(set)).toMatchObject({ version: 4, rows: rowsOf(4) });
      expect(await target.rollback(set)).toMatchObject({ version: 2 });
      expect((await target.read(set))?.rows).toEqual(rowsOf(2));
    }));

  it("goes back to the rows of a lookup", () =>
    withTarget(async (target, set) => {
      await put(target, set, { version: 1, form: lookup });
      await put(target, set, { version: 2, form: lookup, rows: [...rowsOf(2, 5), ...rowsOf(1).slice(7)] });
      await target.rollback(set);
      for (const key of ["0", "6", "20"]) {
        expect(await target.readRow(set, [key])).toMatchObject({ version: 1 });
      }
    }));

  for (const form of [{ kind: "list" } as const, lookup]) {
    it(`shows whole versions of a ${form.kind} that never go back, with publishers racing out of order`, () =>
      withTarget(async (target, set) => {
        await put(target, set, { version: 0, form });
        let done = false;
        const reader = (async () => {
          let last = 0;
          let reads = 0;
          while (!done) {
            const seen = await target.read(set);
            expect(seen?.rows).toHaveLength(50);
            expect(new Set(seen?.rows.map((row) => row.version))).toEqual(new Set([seen?.version]));
            expect(seen?.version).toBeGreaterThanOrEqual(last);
            last = seen?.version ?? last;
            reads += 1;
          }
          return reads;
        })();
        const order = Array.from({ length: 60 }, (_, i) => 1 + ((i * 37) % 60));
        for (let i = 0; i < order.length; i += 4) {
          await Promise.all(order.slice(i, i + 4).map((version) => put(target, set, { version, form })));
        }
        done = true;
        expect(await reader).toBeGreaterThan(0);
        expect((await target.read(set))?.version).toBe(60);
      }));
  }

  it("gives a version that is published again its time again, and keeps older ones out", () =>
    withTarget(async (target, set) => {
      const until = (ms: number) => ({ version: 5, expiresAt: new Date(Date.now() + ms).toISOString() });
      await put(target, set, until(-1000));
      // Redis needs at least a second of life; the reader looks at the stamp.
      expect(await target.read(set)).toBeUndefined();
      expect(await put(target, set, { version: 4 })).toBe("stale");
      await put(target, set, until(60_000));
      expect((await target.read(set))?.version).toBe(5);
      await put(target, set, { version: 5 });
      expect(await target.read(set)).not.toHaveProperty("expiresAt");
    }));

  it("publishes a version whose reading fails at the next try", () =>
    withTarget(async (target, set) => {
      await put(target, set, { version: 1 });
      let batches = 0;
      const failing = async () => {
        batches += 1;
        if (batches > 1) throw new Error("the lake is away");
      };
      for (const form of [{ kind: "list" } as const, lookup]) {
        batches = 0;
        const broken = publicationOf(set, { version: 2, form, before: failing });
        await expect(target.publish(broken)).rejects.toThrow("the lake is away");
        expect(await target.read(set)).toMatchObject({ version: 1, rows: rowsOf(1) });
      }
      expect(await put(target, set, { version: 2 })).toBe("published");
      expect((await target.read(set))?.rows).toEqual(rowsOf(2));
    }));

  it("tells subscribers the version of now and each that follows", () =>
    withTarget(async (target, set) => {
      await put(target, set, { version: 1 });
      const first = await listen(target, set);
      await first.until(1);
      await put(target, set, { version: 2 });
      await first.until(2);
      await target.rollback(set);
      await first.until(1, true);
      await first.close();
      await put(target, set, { version: 3 });
      expect(first.seen.map(({ version }) => version)).toEqual([1, 2, 1]);

      // After an interruption it goes on from where it was, and does not tell again what was told.
      const from = first.seen.at(-1)?.id ?? "";
      const resumed = await listen(target, set, { from });
      await resumed.until(3);
      await resumed.close();
      expect(resumed.seen.map(({ version }) => version)).toEqual([3]);
    }));

  it("ends a subscription whose callback fails, and says so", () =>
    withTarget(async (target, set) => {
      await put(target, set, { version: 1 });
      const subscription = await target.subscribe(set, () => {
        throw new Error("the consumer is broken");
      });
      await expect(subscription.done).rejects.toThrow("the consumer is broken");
    }));
}

describe("files in memory", () => suite(async () => new EmbeddedTarget(new MemoryStore())));
describe("files in a folder", () =>
  suite(async () => new EmbeddedTarget(new LocalStore(`${folder.path}/${crypto.randomUUID()}`))));

describe.skipIf(!redisAvailable)("Redis", () => {
  const redis = useRedis();
  suite(() => RedisTarget.connect(redis.url));
});

describe("a table in Postgres", () => {
  const database = useDatabase();
  suite(async () => new PostgresTableTarget({ url: database.url }), { inTurn: true });
});

describe("a webhook", () => {
  const server = createServer((request, response) => {
    request.resume().on("end", () => response.writeHead(204).end());
  });
  beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
  afterAll(() => new Promise((resolve) => server.close(resolve)));
  suite(async () => {
    const { port } = server.address() as AddressInfo;
    const store = new LocalStore(`${folder.path}/${crypto.randomUUID()}`);
    return new WebhookTarget("hook", store, { url: `http://127.0.0.1:${port}/versions` });
  });
});
