/** Columns that are altered while no row of their table changes. */
import { expect, it } from "vitest";
import { readDrift } from "../../layers/bronze/capture/drift-record.ts";
import { verify } from "../../layers/bronze/verify/verify.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { captured, useCapture } from "./setup.ts";

const { context, sync, withTables, both, expectSame, database, lake } = await useCapture();

const snapshotOf = ({ name }: PipelineDefinition, table: string) =>
  lake.table(`${name}/bronze/${table}`).existingSnapshot();

it("a sync follows them, and reads the values that came without a change", async () => {
  const sql =
    "CREATE TABLE still (id int PRIMARY KEY, n int, old text); INSERT INTO still VALUES (1, 1, 'a'), (2, 2, 'b')";
  await withTables(sql, captured({ still: {} }), async (pipeline) => {
    await database.query("INSERT INTO still VALUES (3, 3, 'c')");
    await database.query(
      "ALTER TABLE still ADD COLUMN state text DEFAULT 'open', ALTER COLUMN n TYPE bigint, DROP COLUMN old",
    );
    await sync(pipeline);
    await expectSame(pipeline, "still", ["id", "n", "state"]);
    const record = readDrift(await snapshotOf(pipeline, "still"));
    expect(record?.changes.map(({ kind, column }) => `${kind} ${column}`)).toEqual([
      "retyped n",
      "added state",
      "dropped old",
    ]);
    expect(record?.unchecked).toBe(false);
    const { version } = await snapshotOf(pipeline, "still");
    await sync(pipeline);
    expect((await snapshotOf(pipeline, "still")).version).toBe(version);
    await database.query("INSERT INTO still VALUES (4, 5000000000, 'closed')");
    await sync(pipeline);
    await expectSame(pipeline, "still", ["id", "n", "state"]);
    expect(readDrift(await snapshotOf(pipeline, "still"))?.changes).toHaveLength(3);
  });
});

it("a frozen table stops the run, after what came before", async () => {
  const pipeline = captured({ solid: { drift: "freeze" } });
  await withTables("CREATE TABLE solid (id int PRIMARY KEY)", pipeline, async () => {
    await database.query("INSERT INTO solid VALUES (1); ALTER TABLE solid ADD COLUMN extra text");
    await expect(sync(pipeline)).rejects.toMatchObject({ code: "SOURCE_SCHEMA_CHANGED" });
    expect((await both(pipeline, "solid", ["id"])).bronze).toEqual(['["1"]']);
  });
});

it("columns that the source computes, and those of children, are none", async () => {
  const sql = `CREATE TABLE computed (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED); INSERT INTO computed VALUES (1);
    CREATE TABLE child (extra text) INHERITS (computed)`;
  await withTables(sql, captured({ computed: {} }), async (pipeline) => {
    await database.query("ALTER TABLE child ADD COLUMN more text");
    const { version } = await snapshotOf(pipeline, "computed");
    await sync(pipeline);
    expect((await snapshotOf(pipeline, "computed")).version).toBe(version);
  });
});

it("a key that is another one is not followed, and nothing is compared by it", async () => {
  const sql = "CREATE TABLE named (id int PRIMARY KEY, code int NOT NULL); INSERT INTO named VALUES (1, 1)";
  await withTables(sql, captured({ named: {} }), async (pipeline) => {
    const { version } = await snapshotOf(pipeline, "named");
    await database.query("ALTER TABLE named RENAME id TO uid");
    await sync(pipeline);
    expect((await snapshotOf(pipeline, "named")).version).toBe(version);
    await database.query(
      "ALTER TABLE named RENAME uid TO id; ALTER TABLE named DROP CONSTRAINT named_pkey, ADD PRIMARY KEY (code)",
    );
    await expect(verify(context(), pipeline, { repair: true })).rejects.toMatchObject({
      code: "VERIFY_KEY_CHANGED",
      value: "code at the source, id in the lake",
    });
    await database.query("DELETE FROM named WHERE id = 1");
    await expect(sync(pipeline)).rejects.toMatchObject({ code: "POSTGRES_REPLICA_IDENTITY" });
  });
});
