/** Tables, and partitions, whose changes did not name the key for a while. */
import { describe, it } from "vitest";
import { captured, useCapture } from "./setup.ts";

const { sync, withTables, expectSame, database } = await useCapture();

describe("an identity that was another while capture was behind", () => {
  it.each([
    [
      "none, and rows were inserted",
      "ALTER TABLE moment REPLICA IDENTITY NOTHING; INSERT INTO moment VALUES (10, 'j', 1); ALTER TABLE moment REPLICA IDENTITY DEFAULT",
    ],
    [
      "another index, and rows were inserted",
      "ALTER TABLE moment REPLICA IDENTITY USING INDEX moment_code; INSERT INTO moment VALUES (10, 'j', 1); ALTER TABLE moment REPLICA IDENTITY DEFAULT",
    ],
    [
      "another index, and rows were changed",
      `ALTER TABLE moment REPLICA IDENTITY USING INDEX moment_code; UPDATE moment SET id = 20 WHERE id = 1; UPDATE moment SET n = 7 WHERE id = 2;
       ALTER TABLE moment REPLICA IDENTITY DEFAULT`,
    ],
    [
      "another index, and rows were deleted",
      `ALTER TABLE moment REPLICA IDENTITY USING INDEX moment_code; DELETE FROM moment WHERE id = 2; ALTER TABLE moment REPLICA IDENTITY DEFAULT`,
    ],
    [
      "under another name",
      "ALTER TABLE moment RENAME id TO uid; INSERT INTO moment VALUES (10, 'j', 1); ALTER TABLE moment RENAME uid TO id",
    ],
  ])("%s: what followed is taken", async (_what, change) => {
    const sql = `DROP TABLE IF EXISTS moment, beside; CREATE TABLE beside (id int PRIMARY KEY);
      CREATE TABLE moment (id int PRIMARY KEY, code text NOT NULL, n int); CREATE UNIQUE INDEX moment_code ON moment (code);
      INSERT INTO moment VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)`;
    await withTables(sql, captured({ moment: {}, beside: {} }), async (pipeline) => {
      await database.query(change);
      await database.query("UPDATE moment SET n = 9 WHERE id = 3; INSERT INTO beside VALUES (1)");
      await sync(pipeline);
      await database.query("INSERT INTO moment VALUES (30, 'z', 1); INSERT INTO beside VALUES (2)");
      await sync(pipeline);
      for (const [table, columns] of [
        ["moment", ["id", "code", "n"]],
        ["beside", ["id"]],
      ] as const) {
        await expectSame(pipeline, table, columns);
      }
    });
  });
});

it("a partition whose changes do not name its table's key is compared", async () => {
  const sql = `CREATE TABLE whole (id int PRIMARY KEY, code text NOT NULL) PARTITION BY RANGE (id);
    CREATE TABLE whole_1 PARTITION OF whole FOR VALUES FROM (0) TO (100);
    CREATE UNIQUE INDEX whole_code ON whole_1 (code); ALTER TABLE whole_1 REPLICA IDENTITY USING INDEX whole_code;
    INSERT INTO whole VALUES (1, 'a'), (2, 'b')`;
  await withTables(sql, captured({ whole: {} }), async (pipeline) => {
    await database.query("DELETE FROM whole WHERE id = 1");
    await sync(pipeline);
    await expectSame(pipeline, "whole", ["id", "code"]);
  });
});
