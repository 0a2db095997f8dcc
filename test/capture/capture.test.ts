/** What a slot brings, operation by operation. */
import { describe, expect, it } from "vitest";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { captured, useCapture } from "./setup.ts";

const { database, sync, both, changesOf, expectSame, unacknowledged, withTables } = await useCapture();

const changes = async (pipeline: PipelineDefinition, table: string, columns: readonly string[]) =>
  (await changesOf(pipeline, table)).map((row) =>
    [row._ingot_op, ...columns.map((name) => row[name])].join(" "),
  );

describe("capture", () => {
  it("takes inserts, updates, deletions, new keys and truncations, in order, with who and when", async () => {
    const sql =
      "CREATE TABLE plain (id int PRIMARY KEY, note text); INSERT INTO plain VALUES (1, 'one'), (2, 'two')";
    await withTables(sql, captured({ plain: {} }), async (pipeline) => {
      await database.query(
        "BEGIN; INSERT INTO plain VALUES (3, ''); UPDATE plain SET note = NULL WHERE id = 1; COMMIT",
      );
      await database.query("UPDATE plain SET id = 4 WHERE id = 2");
      await database.query("DELETE FROM plain WHERE id = 3");
      const reports = await sync(pipeline);
      expect(reports).toMatchObject([{ table: "bronze.plain", status: "committed", rows: 5, deleted: 1 }]);
      expect(await changes(pipeline, "plain", ["id", "note"])).toEqual([
        "r 1 one",
        "r 2 two",
        "i 3 ",
        "u 1 ",
        "d 2 ",
        "u 4 two",
        "d 3 ",
      ]);
      const rows = await changesOf(pipeline, "plain");
      const taken = rows.filter((row) => row._ingot_op !== "r");
      expect(new Set(taken.map((row) => row._ingot_xid)).size).toBe(3);
      expect(taken.map((row) => row._ingot_seq)).toEqual([1n, 2n, 1n, 2n, 1n]);
      for (const row of taken)
        expect(Math.abs(Date.parse(String(row._ingot_committed_at)) - Date.now())).toBeLessThan(60_000);
      expect((await sync(pipeline))[0]).toMatchObject({ status: "unchanged", rows: 0 });
      await database.query("TRUNCATE plain; INSERT INTO plain VALUES (9, 'after')");
      await sync(pipeline);
      const { bronze, source } = await both(pipeline, "plain", ["id", "note"]);
      expect(bronze).toEqual(source);
      expect(bronze).toEqual(['["9","after"]']);
    });
  });

  it("restores long values that were not sent, through new keys, in one batch and over several", async () => {
    const sql = `CREATE TABLE long (id int PRIMARY KEY, body text, n int);
      ALTER TABLE long ALTER body SET STORAGE EXTERNAL;
      INSERT INTO long SELECT g, repeat(g::text, 5000), g FROM generate_series(1, 3) g`;
    await withTables(sql, captured({ long: {} }), async (pipeline) => {
      await database.query("UPDATE long SET n = n + 10");
      await database.query(`BEGIN; UPDATE long SET id = 10 WHERE id = 1; UPDATE long SET id = 1 WHERE id = 2;
        UPDATE long SET id = 2 WHERE id = 10; UPDATE long SET n = 0 WHERE id IN (1, 2); COMMIT`);
      await sync(pipeline);
      await database.query(
        "INSERT INTO long VALUES (4, repeat('x', 9000), 4); UPDATE long SET n = 5 WHERE id = 4",
      );
      await database.query(
        "UPDATE long SET n = 6; DELETE FROM long WHERE id = 3; UPDATE long SET id = 3 WHERE id = 4",
      );
      await sync(pipeline);
      await expectSame(pipeline, "long", ["id", "body", "n"]);
      const updates = (await changesOf(pipeline, "long")).filter((r) => r._ingot_op === "u");
      expect(updates.every((row) => String(row.body).length >= 5000)).toBe(true);
    });
  });

  it("takes rows of many megabytes", async () => {
    await withTables(
      "CREATE TABLE huge (id int PRIMARY KEY, body text)",
      captured({ huge: {} }),
      async (pipeline) => {
        await database.query("INSERT INTO huge VALUES (1, repeat('\"abcdefghi', 2000000)), (2, 'small')");
        await sync(pipeline);
        await expectSame(pipeline, "huge", ["id", "body"]);
      },
    );
  });

  it("keeps tables apart that differ in schema, and takes names as they are", async () => {
    const sql = `CREATE SCHEMA "Ödd schema"; CREATE TABLE "Ödd schema"."a ""b" ("key, 1" int PRIMARY KEY, "SELECT" text);
      CREATE TABLE same (id int PRIMARY KEY); CREATE TABLE "Ödd schema".same (id int PRIMARY KEY)`;
    const tables = {
      odd: { schema: "Ödd schema", table: 'a "b' },
      same: {},
      other_same: { schema: "Ödd schema", table: "same" },
    };
    await withTables(sql, captured(tables), async (pipeline) => {
      await database.query(`INSERT INTO "Ödd schema"."a ""b" VALUES (1, 'x'), (2, NULL); INSERT INTO same VALUES (1);
        INSERT INTO "Ödd schema".same VALUES (2); UPDATE "Ödd schema"."a ""b" SET "SELECT" = 'é "q", ' || chr(10) || 'y' WHERE "key, 1" = 2`);
      await sync(pipeline);
      await expectSame(pipeline, "odd", ["key, 1", "SELECT"], '"Ödd schema"."a ""b"');
      expect((await both(pipeline, "same", ["id"])).bronze).toEqual(['["1"]']);
      expect((await both(pipeline, "other_same", ["id"], '"Ödd schema".same')).bronze).toEqual(['["2"]']);
    });
  });

  it("counts the rows of a table without key, sent whole or only appended to", async () => {
    const sql = `CREATE TABLE bag (a int, b text); ALTER TABLE bag REPLICA IDENTITY FULL; CREATE TABLE journal (a int);
      INSERT INTO bag VALUES (1, 'x'), (1, 'x'), (2, NULL)`;
    await withTables(sql, captured({ bag: { key: "none" }, journal: { key: "none" } }), async (pipeline) => {
      await database.query("INSERT INTO bag VALUES (1, 'x'), (3, 'z'); INSERT INTO journal VALUES (1), (1)");
      await database.query("DELETE FROM bag WHERE ctid = (SELECT min(ctid) FROM bag WHERE a = 1)");
      await database.query("UPDATE bag SET b = 'new' WHERE a = 2");
      // The application may go on changing a table without identity: those changes are not published.
      await database.query("UPDATE journal SET a = 1");
      await sync(pipeline);
      await expectSame(pipeline, "bag", ["a", "b"]);
      expect((await both(pipeline, "journal", ["a"])).bronze).toEqual(['["1"]', '["1"]']);
    });
  });

  it("goes by a unique index where that is the table's identity, and by the root of partitions", async () => {
    const sql = `CREATE TABLE by_index (id int PRIMARY KEY, code text NOT NULL UNIQUE, n int);
      ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_code_key;
      CREATE TABLE parted (id int, day date, n int, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
      CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
      INSERT INTO by_index VALUES (1, 'a', 1), (2, 'b', 2); INSERT INTO parted VALUES (1, '2026-01-05', 1)`;
    await withTables(sql, captured({ by_index: { key: ["code"] }, parted: {} }), async (pipeline) => {
      await database.query("UPDATE by_index SET code = 'c' WHERE id = 1; DELETE FROM by_index WHERE id = 2");
      await database.query(
        "CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
      );
      await database.query(
        "INSERT INTO parted VALUES (2, '2026-02-07', 2); UPDATE parted SET day = '2026-02-08' WHERE id = 1",
      );
      await sync(pipeline);
      await expectSame(pipeline, "by_index", ["id", "code", "n"]);
      await expectSame(pipeline, "parted", ["id", "day", "n"]);
    });
  });

  it("moves an idle slot on while others write, and takes nothing twice when it starts further back", async () => {
    const sql = "CREATE TABLE quiet (id int PRIMARY KEY); CREATE TABLE noise (id int)";
    await withTables(sql, captured({ quiet: {} }), async (pipeline) => {
      const confirmed = async () => {
        const [slot] = await database.query<{ lsn: string }>(
          "SELECT (confirmed_flush_lsn - '0/0')::text AS lsn FROM pg_replication_slots WHERE slot_name = $1",
          [`ingot_${pipeline.name}`],
        );
        return Number(slot?.lsn);
      };
      const before = await confirmed();
      await database.query("INSERT INTO noise SELECT generate_series(1, 20000)");
      await sync(pipeline);
      expect(await confirmed()).toBeGreaterThan(before + 100_000);
      await database.query("INSERT INTO quiet VALUES (1)");
      await unacknowledged(pipeline, () => sync(pipeline));
      await database.query("INSERT INTO quiet VALUES (2)");
      await sync(pipeline);
      expect(await changes(pipeline, "quiet", ["id"])).toEqual(["i 1", "i 2"]);
    });
  });
});
