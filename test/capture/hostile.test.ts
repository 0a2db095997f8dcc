/** Sources that do to a captured table what nobody planned. */
import { describe, expect, it } from "vitest";
import { serverMajor } from "../support/postgres.ts";
import { captured, useCapture } from "./setup.ts";

const { database, sync, expectSame, withTables } = await useCapture();

describe("a publication", () => {
  it("that somebody takes a table out of is mended, and the table compared", async () => {
    await withTables(
      "CREATE TABLE out (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)",
      captured({ out: {}, other: {} }),
      async (pipeline) => {
        await database.query(`ALTER PUBLICATION ingot_${pipeline.name} DROP TABLE out`);
        await database.query("INSERT INTO out VALUES (1)");
        await sync(pipeline);
        await expectSame(pipeline, "out", ["id"]);
      },
    );
  });

  it("of a table that leaves the pipeline and comes back", async () => {
    const pipeline = captured({ back: {}, rest: {} });
    await withTables(
      "CREATE TABLE back (id int PRIMARY KEY); CREATE TABLE rest (id int PRIMARY KEY)",
      pipeline,
      async () => {
        await sync({ ...pipeline, source: { ...pipeline.source, tables: { rest: {} } } });
        await database.query("INSERT INTO back VALUES (1)");
        await sync({ ...pipeline, source: { ...pipeline.source, tables: { rest: {} } } });
        await sync(pipeline);
        await expectSame(pipeline, "back", ["id"]);
      },
    );
  });

  it("that is dropped calls for a new slot", async () => {
    await withTables(
      "CREATE TABLE gone_pub (id int PRIMARY KEY)",
      captured({ gone_pub: {} }),
      async (pipeline) => {
        await database.query(`DROP PUBLICATION ingot_${pipeline.name}`);
        await database.query("INSERT INTO gone_pub VALUES (1)");
        await sync(pipeline);
        await database.query("INSERT INTO gone_pub VALUES (2)");
        await sync(pipeline);
        await expectSame(pipeline, "gone_pub", ["id"]);
      },
    );
  });

  it("that leaves out rows or columns is refused", async () => {
    const pipeline = captured({ filtered: {} }, { wal: { publication: "someones" } });
    const created = database.query(
      "CREATE TABLE filtered (id int PRIMARY KEY); CREATE PUBLICATION someones FOR TABLE filtered WHERE (id < 10) WITH (publish_via_partition_root = true)",
    );
    // Before version 15 there are none.
    if (serverMajor < 15) return expect(created).rejects.toMatchObject({ code: "42601" });
    await created;
    const loading = withTables("SELECT 1", pipeline, async () => {});
    await expect(loading).rejects.toMatchObject({
      code: "PUBLICATION_OPTIONS",
      value: "a row filter or a column list",
    });
  });
});

describe("former rows", () => {
  it("of partitions with another identity than their table are taken for what they are", async () => {
    const sql = `CREATE TABLE mixed (id int PRIMARY KEY, body text, n int) PARTITION BY RANGE (id);
      ALTER TABLE mixed REPLICA IDENTITY FULL;
      CREATE TABLE mixed_1 PARTITION OF mixed FOR VALUES FROM (0) TO (100); ALTER TABLE mixed_1 ALTER body SET STORAGE EXTERNAL;
      INSERT INTO mixed VALUES (1, repeat('x', 5000), 1)`;
    await withTables(sql, captured({ mixed: {} }), async (pipeline) => {
      await database.query("UPDATE mixed SET id = 2 WHERE id = 1");
      await database.query("UPDATE mixed SET n = 2 WHERE id = 2");
      await sync(pipeline);
      await expectSame(pipeline, "mixed", ["id", "body", "n"]);
    });
  });

  it("name long keys that were not sent again", async () => {
    const sql = `CREATE TABLE long_key (k text, id int, n int, PRIMARY KEY (k, id)); ALTER TABLE long_key ALTER k SET STORAGE EXTERNAL;
      INSERT INTO long_key VALUES (repeat('k', 2500), 1, 1)`;
    await withTables(sql, captured({ long_key: {} }), async (pipeline) => {
      await database.query("UPDATE long_key SET n = 2");
      await sync(pipeline);
      await expectSame(pipeline, "long_key", ["k", "id", "n"]);
    });
  });
});

describe("columns and partitions", () => {
  it("that swap their names, or come again under one, are compared", async () => {
    const sql =
      "CREATE TABLE swapped (id int PRIMARY KEY, a text, b text); INSERT INTO swapped VALUES (1, 'a', 'b'), (2, 'a', 'b')";
    await withTables(sql, captured({ swapped: {} }), async (pipeline) => {
      await database.query(
        "ALTER TABLE swapped RENAME a TO t; ALTER TABLE swapped RENAME b TO a; ALTER TABLE swapped RENAME t TO b",
      );
      await database.query("INSERT INTO swapped VALUES (3, 'x', 'y')");
      await sync(pipeline);
      await expectSame(pipeline, "swapped", ["id", "a", "b"]);
      await database.query(
        "ALTER TABLE swapped DROP COLUMN a; ALTER TABLE swapped ADD COLUMN a text; INSERT INTO swapped VALUES (4, 'x', 'z')",
      );
      await sync(pipeline);
      await expectSame(pipeline, "swapped", ["id", "a", "b"]);
    });
  });

  it("that leave their table are compared", async () => {
    const sql = `CREATE TABLE shrinks (id int PRIMARY KEY) PARTITION BY RANGE (id);
      CREATE TABLE shrinks_1 PARTITION OF shrinks FOR VALUES FROM (0) TO (10);
      CREATE TABLE shrinks_2 PARTITION OF shrinks FOR VALUES FROM (10) TO (20); INSERT INTO shrinks VALUES (1), (11)`;
    await withTables(sql, captured({ shrinks: {} }), async (pipeline) => {
      await database.query("ALTER TABLE shrinks DETACH PARTITION shrinks_2");
      await sync(pipeline);
      await expectSame(pipeline, "shrinks", ["id"]);
    });
  });

  it("that leave a table without key are compared before rows are deleted by what is left", async () => {
    const sql =
      "CREATE TABLE bag (a int, b int); ALTER TABLE bag REPLICA IDENTITY FULL; INSERT INTO bag VALUES (1, 1), (2, 2), (3, 3)";
    await withTables(sql, captured({ bag: { key: "none" } }), async (pipeline) => {
      await database.query("ALTER TABLE bag DROP COLUMN b; DELETE FROM bag WHERE a = 2");
      await sync(pipeline);
      await expectSame(pipeline, "bag", ["a"]);
    });
  });
});

it("takes what had committed without waiting for the disk", async () => {
  await withTables("CREATE TABLE lazy (id int PRIMARY KEY)", captured({ lazy: {} }), async (pipeline) => {
    const client = await database.connect();
    try {
      await client.query("SET synchronous_commit = off");
      for (let id = 0; id < 3; id++) {
        await client.query("INSERT INTO lazy VALUES ($1)", [id]);
        await sync(pipeline);
        await expectSame(pipeline, "lazy", ["id"]);
      }
    } finally {
      await client.end();
    }
  });
});

it("is patient with a server that is not", async () => {
  await database.query("ALTER SYSTEM SET wal_sender_timeout = '20ms'");
  await database.query("SELECT pg_reload_conf()");
  try {
    await withTables(
      "CREATE TABLE slow (id int PRIMARY KEY, body text)",
      captured({ slow: {} }),
      async (pipeline) => {
        await database.query(
          "INSERT INTO slow SELECT g, repeat(md5(g::text), 20) FROM generate_series(1, 60000) g",
        );
        await sync(pipeline);
        await expectSame(pipeline, "slow", ["id"]);
      },
    );
  } finally {
    await database.query("ALTER SYSTEM RESET wal_sender_timeout");
    await database.query("SELECT pg_reload_conf()");
  }
});
