/** Columns that change at the source while their rows are captured. */
import { describe, expect, it } from "vitest";
import { adoptColumn } from "../../layers/bronze/adopt.ts";
import { readDrift } from "../../layers/bronze/capture/drift-record.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { captured, useCapture } from "./setup.ts";

const { database, sync, both, tableOf, changesOf, expectSame, withTables } = await useCapture();

const driftOf = async (pipeline: PipelineDefinition, table: string) =>
  readDrift(await tableOf(pipeline, table).existingSnapshot());
const described = async (pipeline: PipelineDefinition, table: string) =>
  (await driftOf(pipeline, table))?.changes.map((c) => `${c.kind} ${c.column}: ${c.effect}`);

describe("evolve", () => {
  it("adds, widens and keeps columns as the source changes between and within batches", async () => {
    const sql =
      "CREATE TABLE grows (id int PRIMARY KEY, n int, gone text); INSERT INTO grows VALUES (1, 1, 'a'), (2, 2, 'b')";
    await withTables(sql, captured({ grows: {} }), async (pipeline) => {
      await database.query("INSERT INTO grows VALUES (3, 3, 'c')");
      await database.query("ALTER TABLE grows ADD COLUMN note text");
      await database.query("UPDATE grows SET note = 'new' WHERE id = 1");
      await database.query(
        "ALTER TABLE grows DROP COLUMN gone; ALTER TABLE grows ALTER COLUMN n TYPE bigint",
      );
      await database.query("INSERT INTO grows VALUES (4, 5000000000, 'd')");
      await sync(pipeline);
      await expectSame(pipeline, "grows", ["id", "n", "note"]);
      expect(await described(pipeline, "grows")).toEqual([
        "added note: column added",
        "retyped n: type widened to BIGINT",
        "dropped gone: column stays, empty from now on",
      ]);
      const before = (await tableOf(pipeline, "grows").existingSnapshot()).version;
      await sync(pipeline);
      expect((await tableOf(pipeline, "grows").existingSnapshot()).version).toBe(before);
    });
  });

  it("reads rows again that got their values without a change: defaults, new types, new names", async () => {
    const sql =
      "CREATE TABLE filled (id int PRIMARY KEY, n int, old_name text); INSERT INTO filled SELECT g, g, 'x' || g FROM generate_series(1, 50) g";
    await withTables(sql, captured({ filled: {} }), async (pipeline) => {
      await database.query("ALTER TABLE filled ADD COLUMN state text DEFAULT 'open'");
      await database.query("INSERT INTO filled VALUES (51, 51, 'x')");
      await sync(pipeline);
      expect((await both(pipeline, "filled", ["id", "state"])).bronze).toHaveLength(51);
      await expectSame(pipeline, "filled", ["id", "n", "old_name", "state"]);
      await database.query(
        "ALTER TABLE filled RENAME COLUMN old_name TO new_name; ALTER TABLE filled ALTER n TYPE text USING 'n' || n",
      );
      await database.query("UPDATE filled SET state = 'closed' WHERE id = 7");
      await sync(pipeline);
      await expectSame(pipeline, "filled", ["id", "new_name", "state"]);
      // What is no number has no place in the column, and is kept beside it until it is adopted.
      const rows = await changesOf(pipeline, "filled");
      expect(rows.filter((row) => row._ingot_rescued !== null)).toHaveLength(51);
      expect(await adoptColumn(tableOf(pipeline, "filled"), "n", "string")).toMatchObject({
        adopted: 51,
        left: 0,
      });
      await expectSame(pipeline, "filled", ["id", "n", "new_name", "state"]);
      expect(await driftOf(pipeline, "filled")).toMatchObject({ unchecked: false });
      await database.query("INSERT INTO filled VALUES (52, 'text', 'y', 'open')");
      await sync(pipeline);
      await expectSame(pipeline, "filled", ["id", "n"]);
    });
  });
});

describe("quarantine", () => {
  it("leaves bronze as it is and keeps what has no place, to be adopted without the source", async () => {
    const sql = "CREATE TABLE fixed (id int PRIMARY KEY, n int)";
    await withTables(sql, captured({ fixed: { drift: "quarantine" } }), async (pipeline) => {
      await database.query(
        "ALTER TABLE fixed ADD COLUMN price numeric(8,2); INSERT INTO fixed VALUES (1, 1, 1.50), (2, 2, NULL)",
      );
      await sync(pipeline);
      await database.query("UPDATE fixed SET price = 'NaN' WHERE id = 2");
      await sync(pipeline);
      const { schema } = await tableOf(pipeline, "fixed").existingSnapshot();
      expect(schema.fields.map((f) => f.name)).not.toContain("price");
      expect(await described(pipeline, "fixed")).toEqual(["added price: values rescued"]);
      expect(await adoptColumn(tableOf(pipeline, "fixed"), "price", "decimal(8,2)")).toMatchObject({
        adopted: 1,
        left: 1,
      });
      const rows = await changesOf(pipeline, "fixed");
      expect(rows.map((row) => [row.id, row.price, row._ingot_rescued])).toEqual([
        [1, "1.50", null],
        [2, null, null],
        [2, null, '{"price":"NaN"}'],
      ]);
      await expect(adoptColumn(tableOf(pipeline, "fixed"), "n", "long")).rejects.toMatchObject({
        code: "ADOPT_NOTHING",
      });
    });
  });
});

describe("freeze", () => {
  it("stops before it takes a row of another shape, and goes on once that is allowed", async () => {
    const pipeline = captured({ frozen: { drift: "freeze" } });
    await withTables("CREATE TABLE frozen (id int PRIMARY KEY)", pipeline, async () => {
      await database.query(
        "INSERT INTO frozen VALUES (1); ALTER TABLE frozen ADD COLUMN extra text; INSERT INTO frozen VALUES (2, 'x')",
      );
      await expect(sync(pipeline)).rejects.toMatchObject({
        code: "SOURCE_SCHEMA_CHANGED",
        value: "extra text added",
      });
      expect(await changesOf(pipeline, "frozen")).toEqual([]);
      const { source } = pipeline;
      await sync({ ...pipeline, source: { ...source, tables: { frozen: {} } } });
      await expectSame(pipeline, "frozen", ["id", "extra"]);
    });
  });
});

describe("tables", () => {
  it("that are dropped stay as they were, beside others that go on; frozen ones stop the run", async () => {
    const sql =
      "CREATE TABLE stays (id int PRIMARY KEY); CREATE TABLE goes (id int PRIMARY KEY); INSERT INTO goes VALUES (1)";
    const pipeline = captured({ stays: {}, goes: {} });
    await withTables(sql, pipeline, async () => {
      await database.query("DROP TABLE goes; INSERT INTO stays VALUES (1)");
      await sync(pipeline);
      await sync(pipeline);
      expect(await described(pipeline, "goes")).toEqual(["table dropped *: stays as it was"]);
      expect(await changesOf(pipeline, "goes")).toHaveLength(1);
      expect((await both(pipeline, "stays", ["id"])).bronze).toEqual(['["1"]']);
      const { source } = pipeline;
      const frozen = {
        ...pipeline,
        source: { ...source, tables: { stays: {}, goes: { drift: "freeze" } } },
      } as const;
      await expect(sync(frozen)).rejects.toMatchObject({ code: "POSTGRES_NO_TABLE" });
    });
  });

  it("that are made anew, and partitions that had rows, are compared with the source", async () => {
    const sql = `CREATE TABLE anew (id int PRIMARY KEY, n int); INSERT INTO anew VALUES (1, 1), (2, 2);
      CREATE TABLE parts (id int, PRIMARY KEY (id)) PARTITION BY RANGE (id);
      CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10); INSERT INTO parts VALUES (1)`;
    await withTables(sql, captured({ anew: {}, parts: {} }), async (pipeline) => {
      await database.query(
        "DROP TABLE anew; CREATE TABLE anew (id int PRIMARY KEY, n int); INSERT INTO anew VALUES (2, 20), (3, 30)",
      );
      await database.query(
        "CREATE TABLE parts_2 (id int NOT NULL PRIMARY KEY); INSERT INTO parts_2 VALUES (11)",
      );
      await database.query("ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (10) TO (20)");
      await database.query(
        "CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (20) TO (30); INSERT INTO parts VALUES (12), (21)",
      );
      await sync(pipeline);
      await database.query("UPDATE anew SET n = 0 WHERE id = 3; DELETE FROM parts WHERE id = 11");
      await sync(pipeline);
      await expectSame(pipeline, "anew", ["id", "n"]);
      await expectSame(pipeline, "parts", ["id"]);
      expect(await described(pipeline, "anew")).toEqual([
        "published *: compared with the source",
        "made anew *: compared with the source",
      ]);
      expect(await described(pipeline, "parts")).toEqual(["joined *: compared with the source"]);
      const before = (await tableOf(pipeline, "parts").existingSnapshot()).version;
      await database.query(
        "CREATE TABLE parts_4 PARTITION OF parts FOR VALUES FROM (30) TO (40); INSERT INTO parts VALUES (31)",
      );
      await sync(pipeline);
      // What was made as a partition needs no comparison: one commit for the relation, one for its row.
      expect((await tableOf(pipeline, "parts").existingSnapshot()).version).toBe(before + 2);
      expect(await described(pipeline, "parts")).toHaveLength(1);
    });
  });
});
