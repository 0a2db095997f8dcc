import { createHash } from "node:crypto";
import type { ProgressEvent } from "ingot";
import { describe, expect, it } from "vitest";
import { type TestDatabase, useDatabase } from "../../test/support/postgres.ts";
import { fillCommerce } from "./source/fill.ts";
import { simulate } from "./source/simulate.ts";

const TABLES = [
  "categories",
  "users",
  "products",
  "carts",
  "cart_items",
  "orders",
  "order_items",
  "user_actions",
];
const ASOF = new Date("2026-11-21T15:00:00Z");
const SMALL = { scale: 0.01, seed: 7, asOf: ASOF };

async function fill(database: TestDatabase, options: Partial<typeof SMALL & { signal: AbortSignal }> = {}) {
  const client = await database.connect();
  const events: ProgressEvent[] = [];
  try {
    const outcome = await fillCommerce(client, {
      ...SMALL,
      ...options,
      onProgress: (event) => events.push(event),
    });
    return { outcome, events };
  } finally {
    await client.end();
  }
}

/** Table by table, the hash of all rows; `columns` narrows what is compared. */
async function checksums(database: TestDatabase, columns = "t"): Promise<Record<string, string>> {
  const sums: Record<string, string> = {};
  for (const table of TABLES) {
    const rows = await database.query<{ row: string }>(
      `SELECT (${columns})::text AS row FROM public.${table} t ORDER BY id`,
    );
    sums[table] = createHash("sha256").update(JSON.stringify(rows)).digest("hex");
  }
  return sums;
}

/** The only value of the only row. */
async function one(database: TestDatabase, sql: string): Promise<number> {
  const [row] = await database.query(sql);
  return Number(Object.values(row ?? {})[0]);
}

async function clear(database: TestDatabase): Promise<void> {
  await database.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
}

/** Rows that break what holds before and after a simulation. */
async function broken(database: TestDatabase): Promise<number> {
  return one(
    database,
    `SELECT (SELECT count(*) FROM orders o
             LEFT JOIN (SELECT order_id, sum(quantity * unit_price) AS total FROM order_items GROUP BY 1) i
               ON i.order_id = o.id
             WHERE o.total IS DISTINCT FROM i.total)
          + (SELECT count(*) FROM orders o JOIN carts c ON c.id = o.cart_id WHERE c.user_id <> o.user_id)
          + (SELECT count(*) FROM orders o WHERE NOT EXISTS (
               SELECT FROM user_actions a WHERE a.action = 'checkout' AND a.cart_id = o.cart_id)
             AND o.created_at >= '2026-06-01')
          + (SELECT count(*) FROM cart_items i LEFT JOIN carts c ON c.id = i.cart_id WHERE c.id IS NULL)`,
  );
}

describe("bootstrap", () => {
  const database = useDatabase();

  it("fills a consistent shop with seven quarters of history", async () => {
    const { outcome, events } = await fill(database);
    expect(outcome).toBe("filled");
    expect(await broken(database)).toBe(0);
    expect(await one(database, "SELECT count(*) FROM carts")).toBe(2550);
    expect(await one(database, "SELECT count(*) FROM categories")).toBe(40);
    const abandoned = await one(
      database,
      "SELECT 1 - count(o.id)::float8 / count(*) FROM carts c LEFT JOIN orders o ON o.cart_id = c.id",
    );
    expect(abandoned).toBeGreaterThan(0.48);
    expect(abandoned).toBeLessThan(0.56);
    const [span] = await database.query(
      "SELECT min(created_at) >= '2025-04-01Z' AND max(updated_at) < '2026-11-21Z' AS ok FROM carts",
    );
    expect(span).toEqual({ ok: true });
    const done = events.filter(({ state }) => state === "done").map(({ task }) => task);
    expect(done).toEqual([...TABLES.map((table) => `commerce.${table}`), "commerce.constraints"]);
  });

  it("does nothing the second time, also with another seed", async () => {
    const before = await checksums(database);
    const { outcome, events } = await fill(database, { seed: 8 });
    expect(outcome).toBe("present");
    expect(new Set(events.map(({ state }) => state))).toEqual(new Set(["skipped"]));
    expect(await checksums(database)).toEqual(before);
  });

  it("gives the same shop for the same seed and day, and another one for another seed", async () => {
    const first = await checksums(database);
    await clear(database);
    await fill(database, { asOf: new Date("2026-11-21T00:00:00Z") });
    expect(await checksums(database)).toEqual(first);
    await clear(database);
    await fill(database, { seed: 8 });
    expect((await checksums(database)).orders).not.toBe(first.orders);
  });

  it("moves updated_at with every update, and numbers new rows after the old ones", async () => {
    const [changed] = await database.query(
      "UPDATE products SET price = price + 1 WHERE id = 1 RETURNING updated_at > now() - interval '1 minute' AS ok",
    );
    expect(changed).toEqual({ ok: true });
    const [added] = await database.query("INSERT INTO carts (user_id) VALUES (1) RETURNING id");
    expect(added).toEqual({ id: "2551" });
  });

  it("lets only carts without an order be deleted", async () => {
    await expect(
      database.query("DELETE FROM carts WHERE id IN (SELECT cart_id FROM orders)"),
    ).rejects.toThrow(/foreign key/);
  });

  it("leaves nothing behind when it is interrupted", async () => {
    await clear(database);
    const interrupted = new AbortController();
    const client = await database.connect();
    const filling = fillCommerce(client, {
      ...SMALL,
      signal: interrupted.signal,
      onProgress: ({ task }) => {
        if (task === "commerce.orders") interrupted.abort();
      },
    });
    await expect(filling).rejects.toThrow(/abort/);
    await client.end();
    expect(
      await one(database, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
    ).toBe(0);
    expect((await fill(database)).outcome).toBe("filled");
  });

  it("refuses to write into tables that it did not make", async () => {
    await clear(database);
    await database.query("CREATE TABLE users (id int)");
    await expect(fill(database)).rejects.toMatchObject({
      code: "COMMERCE_TABLES_EXIST",
      value: ["public.users"],
    });
  });
});

describe("simulate", () => {
  const database = useDatabase();
  const other = useDatabase();
  const run = (
    on: TestDatabase,
    options: { rate: number; journeys?: number; seed: number },
    signal = new AbortController().signal,
  ) => simulate({ connectionString: on.url, signal, onProgress: () => {} }, options);

  it("says what to do where there is no shop", async () => {
    await expect(run(database, { rate: 0, journeys: 1, seed: 1 })).rejects.toMatchObject({
      code: "COMMERCE_EMPTY",
    });
  });

  it("makes consistent journeys and counts what it changes", async () => {
    await fill(database);
    const count = async () =>
      Object.fromEntries(
        await Promise.all(
          TABLES.map(async (t) => [t, await one(database, `SELECT count(*) FROM ${t}`)] as const),
        ),
      );
    const before = await count();
    const { journeys, changes } = await run(database, { rate: 0, journeys: 200, seed: 3 });
    const after = await count();
    expect(journeys).toBe(200);
    expect(await broken(database)).toBe(0);
    for (const [table, { inserted, deleted }] of Object.entries(changes)) {
      expect([table, (after[table] ?? 0) - (before[table] ?? 0)]).toEqual([table, inserted - deleted]);
    }
    expect(changes.carts).toMatchObject({ inserted: 200 });
    for (const seen of [changes.carts?.deleted, changes.cart_items?.deleted, changes.orders?.updated]) {
      expect(seen).toBeGreaterThan(0);
    }
    const updated = await one(
      database,
      "SELECT count(*) FROM orders WHERE updated_at > created_at AND updated_at > now() - interval '1 minute'",
    );
    expect(updated).toBe(changes.orders?.updated);
  });

  it("gives the same run for the same seed on the same rows", async () => {
    await clear(database);
    await fill(database);
    await fill(other);
    const options = { rate: 0, journeys: 200, seed: 3 };
    expect(await run(database, options)).toEqual(await run(other, options));
    const withoutTimes = "to_jsonb(t) - '{created_at,updated_at,occurred_at}'::text[]";
    expect(await checksums(database, withoutTimes)).toEqual(await checksums(other, withoutTimes));
  });

  it("keeps its rate, and stops at a whole transaction when it is told to", async () => {
    const stop = AbortSignal.timeout(700);
    const { journeys } = await run(database, { rate: 20, seed: 4 }, stop);
    expect(journeys).toBeGreaterThanOrEqual(5);
    expect(journeys).toBeLessThanOrEqual(20);
    expect(await broken(database)).toBe(0);
  });

  it("can run several times at once", async () => {
    const runs = await Promise.all([5, 6, 7].map((seed) => run(database, { rate: 0, journeys: 300, seed })));
    expect(runs.map(({ journeys }) => journeys)).toEqual([300, 300, 300]);
    expect(await broken(database)).toBe(0);
  });
});
