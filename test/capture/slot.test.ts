/** Slots that are lost, taken, over budget, or of a source that failed over; and tables that cannot be captured. */
import { describe, expect, it } from "vitest";
import { captureChanges } from "../../layers/bronze/capture/run.ts";
import { follow } from "../../layers/bronze/follow.ts";
import { describeAll } from "../../layers/bronze/source-tables.ts";
import { SOURCE_DOMAIN } from "../../layers/definition/bronze-columns.ts";
import { captured, useCapture } from "./setup.ts";

const { database, context, load, sync, dropSlot, both, tableOf, changesOf, expectSame, withTables } =
  await useCapture();

describe("a slot that is gone", () => {
  it.each([
    [
      "dropped",
      async (name: string) => void (await database.query("SELECT pg_drop_replication_slot($1)", [name])),
    ],
    [
      "half repaired",
      async (name: string) => {
        await database.query("SELECT pg_copy_logical_replication_slot($1::text, $2::text)", [
          name,
          `${name}_repair`,
        ]);
        await database.query("SELECT pg_drop_replication_slot($1)", [name]);
      },
    ],
  ])("is made anew, and what was missed is found by comparison (%s)", async (_how, lose) => {
    const sql = `DROP TABLE IF EXISTS kept, bag; CREATE TABLE kept (id int PRIMARY KEY, n int);
      CREATE TABLE bag (a int, b text); ALTER TABLE bag REPLICA IDENTITY FULL;
      INSERT INTO kept SELECT g, g FROM generate_series(1, 500) g; INSERT INTO bag SELECT g % 5, 'x' FROM generate_series(1, 20) g`;
    await withTables(sql, captured({ kept: {}, bag: { key: "none" } }), async (pipeline) => {
      await database.query("UPDATE kept SET n = 0 WHERE id = 1");
      await sync(pipeline);
      await lose(`ingot_${pipeline.name}`);
      await database.query(
        "UPDATE kept SET n = -1 WHERE id IN (5, 400); DELETE FROM kept WHERE id = 77; INSERT INTO kept VALUES (999, 9)",
      );
      await database.query("DELETE FROM bag WHERE a = 1; INSERT INTO bag VALUES (7, NULL), (7, NULL)");
      await sync(pipeline);
      await database.query("UPDATE kept SET n = 12 WHERE id = 12");
      await sync(pipeline);
      await expectSame(pipeline, "kept", ["id", "n"]);
      await expectSame(pipeline, "bag", ["a", "b"]);
      // Only what differed was read again.
      const rows = await changesOf(pipeline, "kept");
      const later = rows.slice(500).map((row) => `${row._ingot_op} ${row.id}`);
      expect(later.slice(0, 1)).toEqual(["u 1"]);
      expect(later.slice(1, -1).sort()).toEqual(["d 77", "r 400", "r 5", "r 999"]);
      expect(later.slice(-1)).toEqual(["u 12"]);
      const slots = await database.query(
        "SELECT slot_name FROM pg_replication_slots WHERE slot_name LIKE $1",
        [`ingot_${pipeline.name}%`],
      );
      expect(slots).toEqual([{ slot_name: `ingot_${pipeline.name}` }]);
    });
  });

  it("is given up for the source's sake when it holds back too much, and made anew", async () => {
    const pipeline = captured({ heavy: {} }, { wal: { stopMegabytes: 1 } });
    await withTables("CREATE TABLE heavy (id int PRIMARY KEY, body text)", pipeline, async () => {
      await database.query(
        "INSERT INTO heavy SELECT g, repeat(md5(g::text), 50) FROM generate_series(1, 2000) g",
      );
      const tables = await describeAll(database.url, pipeline);
      const only = captureChanges(context(), pipeline, tables, {
        end: "caught-up",
      });
      await expect(only).rejects.toMatchObject({ code: "SLOT_OVER_BUDGET" });
      await sync(pipeline);
      await expectSame(pipeline, "heavy", ["id", "body"]);
    });
  });

  it("is not trusted after a failover, and another database is refused", async () => {
    await withTables(
      "CREATE TABLE moved (id int PRIMARY KEY); INSERT INTO moved VALUES (1)",
      captured({ moved: {} }),
      async (pipeline) => {
        const table = tableOf(pipeline, "moved");
        const rewrite = async (change: (source: string) => string) => {
          const base = await table.existingSnapshot();
          const record = JSON.parse(base.domains.get(SOURCE_DOMAIN)?.configuration ?? "{}");
          const configuration = JSON.stringify({ ...record, source: change(record.source) });
          await table.commit({
            base,
            operation: "TEST",
            actions: [{ domainMetadata: { domain: SOURCE_DOMAIN, configuration, removed: false } }],
            reads: "nothing",
          });
          return record.source as string;
        };
        // The rows that the former primary had not sent on are in bronze, and not in the source.
        const source = await rewrite((now) => now.replace(/timeline \d+/, "timeline 77"));
        await database.query("INSERT INTO moved VALUES (2)");
        await sync(pipeline);
        expect((await both(pipeline, "moved", ["id"])).bronze).toEqual(['["1"]', '["2"]']);
        expect(await rewrite((now) => now.replace(/cluster \d+/, "cluster 1"))).toBe(source);
        await expect(sync(pipeline)).rejects.toMatchObject({ code: "SOURCE_POSITION_INVALID" });
      },
    );
  });
});

describe("a slot in use", () => {
  it("is refused to a second consumer, and followed by the first until it is told to stop", async () => {
    await withTables("CREATE TABLE live (id int PRIMARY KEY)", captured({ live: {} }), async (pipeline) => {
      const stop = new AbortController();
      const batches: number[] = [];
      let arrived = () => {};
      let opened = () => {};
      const open = new Promise<void>((resolve) => {
        opened = resolve;
      });
      const following = follow(context(), pipeline, {
        signal: stop.signal,
        onFollowing: () => opened(),
        limits: { milliseconds: 10 },
        onCommitted: ({ rows }) => {
          batches.push(rows);
          arrived();
        },
      });
      await open;
      const take = async (sql: string) => {
        const batch = new Promise<void>((resolve) => {
          arrived = resolve;
        });
        await database.query(sql);
        await batch;
      };
      await take("INSERT INTO live VALUES (1)");
      await expect(sync(pipeline)).rejects.toMatchObject({ code: "SLOT_ACTIVE" });
      await take("INSERT INTO live VALUES (2), (3)");
      stop.abort();
      await following;
      expect(batches).toEqual([1, 2]);
      expect((await both(pipeline, "live", ["id"])).bronze).toHaveLength(3);
    });
  });

  it("takes a transaction that is larger than its limits whole, in one commit", async () => {
    await withTables(
      "CREATE TABLE bulk (id int PRIMARY KEY, body text)",
      captured({ bulk: {} }),
      async (pipeline) => {
        await database.query(
          "INSERT INTO bulk SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g; UPDATE bulk SET body = 'y' WHERE id <= 5000",
        );
        const before = (await tableOf(pipeline, "bulk").existingSnapshot()).version;
        const tables = await describeAll(database.url, pipeline);
        const limits = { rows: 100, bytes: 100_000 };
        await captureChanges(context(), pipeline, tables, {
          end: "caught-up",
          limits,
        });
        const after = await tableOf(pipeline, "bulk").existingSnapshot();
        expect(after.version).toBe(before + 1);
        expect(after.files.size).toBeGreaterThan(3);
        await expectSame(pipeline, "bulk", ["id", "body"]);
      },
    );
  });
});

describe("a table that cannot be captured", () => {
  it.each([
    ["a view", "CREATE VIEW seen AS SELECT 1 AS id", { seen: { key: ["id"] } }, "POSTGRES_NOT_CAPTURED"],
    [
      "no identity",
      "CREATE TABLE nameless (id int PRIMARY KEY); ALTER TABLE nameless REPLICA IDENTITY NOTHING",
      { nameless: {} },
      "POSTGRES_REPLICA_IDENTITY",
    ],
    [
      "another key than its changes name",
      "CREATE TABLE other_key (id int PRIMARY KEY, code text NOT NULL UNIQUE)",
      { other_key: { key: ["code"] } },
      "POSTGRES_REPLICA_IDENTITY",
    ],
  ])("is refused by name, and nothing is left at the source: %s", async (_what, sql, tables, code) => {
    await database.query(sql);
    const pipeline = captured(tables);
    await expect(load(pipeline)).rejects.toMatchObject({ code });
    expect(await dropSlot(pipeline)).toEqual([]);
  });
});

it("takes tables of a schema that is taken whole, those that are made later too", async () => {
  await database.query(
    "CREATE SCHEMA whole; CREATE TABLE whole.first (id int PRIMARY KEY); CREATE TABLE whole.bag (a int)",
  );
  const pipeline = captured({}, { discover: ["whole"] });
  await withTables("INSERT INTO whole.first VALUES (1)", pipeline, async () => {
    await database.query(
      "CREATE TABLE whole.second (id int PRIMARY KEY); INSERT INTO whole.second VALUES (1); INSERT INTO whole.first VALUES (2)",
    );
    await sync(pipeline);
    await database.query("INSERT INTO whole.second VALUES (2); INSERT INTO whole.bag VALUES (3)");
    await sync(pipeline);
    expect((await both(pipeline, "first", ["id"], "whole.first")).bronze).toHaveLength(2);
    expect((await both(pipeline, "second", ["id"], "whole.second")).bronze).toHaveLength(2);
    expect((await both(pipeline, "bag", ["a"], "whole.bag")).bronze).toEqual(['["3"]']);
  });
});
