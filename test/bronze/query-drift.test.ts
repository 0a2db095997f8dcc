/** Columns that change at the source of tables whose changes are found by query. */
import { describe, expect, it } from "vitest";
import { readDrift } from "../../layers/bronze/capture/drift-record.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { keepUp } from "../../layers/bronze/keep-up.ts";
import { type PipelineDefinition, postgres, type SourceTable } from "../../layers/definition/pipeline.ts";
import { bronzeChanges, bronzeRows, sourceRows } from "../support/bronze-state.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

/** A lake with one table of 40 rows: `id`, `n`, `note`, `at`, and those that the caller adds. */
async function loaded(name: string, options: SourceTable = {}, columns = "") {
  await database.query(
    `CREATE TABLE ${name} (id int PRIMARY KEY, n int, note varchar(20), at timestamptz NOT NULL DEFAULT '2021-01-01'${columns})`,
  );
  await database.query(
    `INSERT INTO ${name} (id, n, note) SELECT g, g, 'x' || g FROM generate_series(1, 40) g`,
  );
  const pipeline: PipelineDefinition = { name: "p", source: postgres({ tables: { [name]: options } }) };
  const lake = newLake(folder.path, duckdb);
  const context = ingestContext(lake, database.url);
  await load(context, pipeline);
  const table = lake.table(`p/bronze/${name}`);
  return {
    sync: (changed: SourceTable = options) =>
      keepUp(context, { ...pipeline, source: postgres({ tables: { [name]: changed } }) }),
    changes: () => bronzeChanges(lake, `p/bronze/${name}`),
    version: async () => (await table.existingSnapshot()).version,
    columns: async () => (await table.existingSnapshot()).schema.fields.map((f) => `${f.name} ${f.type}`),
    drift: async () => {
      const record = readDrift(await table.existingSnapshot());
      expect(record?.unchecked ?? false).toBe(false);
      return record?.changes.map((c) => `${c.kind} ${c.column}: ${c.effect}`);
    },
    expectSame: async (columns: readonly string[]) =>
      expect(await bronzeRows(lake, `p/bronze/${name}`, columns)).toEqual(
        await sourceRows(database, name, columns),
      ),
  };
}

/** With and without a column that would hide rows that were written anew. */
const CURSORS: readonly (readonly [string, SourceTable])[] = [
  ["no cursor", {}],
  ["a moment", { cursor: "at" }],
  ["an id", { cursor: "id" }],
];

describe.each(CURSORS)("evolve, with %s", (label, options) => {
  /** A change that a sync sees. */
  const change = (table: string) =>
    options.cursor === "id"
      ? `INSERT INTO ${table} (id, n, note) VALUES (50, 50, '50')`
      : `UPDATE ${table} SET note = '70', at = now() WHERE id = 7`;

  it.each([
    ["added", "ADD extra text", ["note", "extra"], ["added extra: column added"]],
    ["filled", "ADD extra text DEFAULT 'open'", ["note", "extra"], ["added extra: column added"]],
    ["random", "ADD extra uuid DEFAULT gen_random_uuid()", ["extra"], ["added extra: column added"]],
    ["twice", "ADD extra int GENERATED ALWAYS AS (n * 2) STORED", ["extra"], ["added extra: column added"]],
    ["widened", "ALTER n TYPE bigint USING n + 5000000000", ["n"], ["retyped n: type widened to BIGINT"]],
    ["longer", "ALTER note TYPE text", ["note"], ["retyped note: type as before"]],
    ["cast", "ALTER note TYPE int USING id", ["note"], ["retyped note: stays VARCHAR, other values rescued"]],
    [
      "anew",
      "DROP note; ALTER TABLE $ ADD note varchar(20) DEFAULT '1'",
      ["note"],
      ["added note: type as before"],
    ],
  ] as const)("%s", async (what, alter, columns, described) => {
    const table = `${what}_${label.replace(" ", "_")}`;
    const t = await loaded(table, options);
    await t.sync();
    await database.query(`ALTER TABLE ${table} ${alter.replaceAll("$", table)}; ${change(table)}`);
    await t.sync();
    await t.expectSame(["id", "n", "at", ...columns]);
    expect(await t.drift()).toEqual(described);
    await database.query(`INSERT INTO ${table} (id, n, note, at) VALUES (99, 99, '99', now())`);
    await t.sync();
    await t.expectSame(["id", "n", "at", ...columns]);
    expect(await t.drift()).toEqual(described);
  });

  it("renamed, swapped, dropped", async () => {
    const table = `renamed_${label.replace(" ", "_")}`;
    const t = await loaded(table, options, ", a text DEFAULT 'a', b text DEFAULT 'b', c int DEFAULT 1");
    await database.query(`ALTER TABLE ${table} RENAME note TO label; ALTER TABLE ${table} DROP c`);
    await t.sync();
    await t.expectSame(["id", "label", "a", "b"]);
    const swap = (x: string, y: string) =>
      `ALTER TABLE ${table} RENAME ${x} TO z; ALTER TABLE ${table} RENAME ${y} TO ${x}; ALTER TABLE ${table} RENAME z TO ${y}`;
    await database.query(swap("a", "b"));
    await t.sync();
    await t.expectSame(["id", "label", "a", "b"]);
    await database.query(swap("n", "label"));
    await t.sync();
    await t.expectSame(["id", "label", "a", "b"]);
    // What is no number waits beside its column.
    const last = (await t.changes()).at(-1);
    expect(last).toMatchObject({ n: null, _ingot_rescued: `{"n":"x${last?.id}"}` });
    expect((await t.drift())?.slice(0, 2)).toEqual([
      "renamed label: column added",
      "dropped c: column stays, empty from now on",
    ]);
  });
});

describe("quarantine and freeze", () => {
  it("sets values aside that have no column", async () => {
    const t = await loaded("fixed", { drift: "quarantine" });
    const before = await t.columns();
    await database.query(
      "ALTER TABLE fixed ADD price numeric(8,2); ALTER TABLE fixed ALTER n TYPE bigint; UPDATE fixed SET price = 1.5, n = 5000000000 WHERE id = 3",
    );
    await t.sync();
    expect(await t.columns()).toEqual(before);
    expect((await t.changes()).at(-1)).toBeDefined();
    const rows = (await t.changes()).filter(({ id, _ingot_op }) => id === 3 && _ingot_op === "u");
    expect(rows).toMatchObject([{ n: null, _ingot_rescued: '{"n":"5000000000","price":"1.50"}' }]);
    await t.expectSame(["id", "note"]);
    expect(await t.drift()).toEqual([
      "retyped n: stays INTEGER, other values rescued",
      "added price: values rescued",
    ]);
  });

  it("stops before anything is taken, and goes on once that is allowed", async () => {
    const t = await loaded("frozen", { drift: "freeze" });
    await t.sync();
    const before = await t.version();
    await database.query("UPDATE frozen SET n = 0 WHERE id = 1; ALTER TABLE frozen ADD extra text");
    await expect(t.sync()).rejects.toMatchObject({
      code: "SOURCE_SCHEMA_CHANGED",
      value: "extra text added",
    });
    await database.query("ALTER TABLE frozen DROP extra; ALTER TABLE frozen RENAME note TO label");
    await expect(t.sync()).rejects.toMatchObject({ value: "note renamed to label" });
    expect(await t.version()).toBe(before);
    await t.sync({ drift: "evolve" });
    await t.expectSame(["id", "n", "label"]);
  });
});

it("refuses a key that is another column, or of another type", async () => {
  const t = await loaded("rekeyed");
  await database.query("ALTER TABLE rekeyed ALTER id TYPE bigint");
  await t.sync();
  await t.expectSame(["id", "n"]);
  const before = await t.version();
  await database.query("ALTER TABLE rekeyed RENAME id TO number");
  await expect(t.sync()).rejects.toMatchObject({ code: "SOURCE_KEY_CHANGED", allowed: "id" });
  await database.query("ALTER TABLE rekeyed RENAME number TO id; ALTER TABLE rekeyed ALTER id TYPE text");
  await expect(t.sync()).rejects.toMatchObject({ code: "SOURCE_KEY_CHANGED", value: "id, another type" });
  expect(await t.version()).toBe(before);
});

it("follows columns of tables without key, and of views", async () => {
  const t = await loaded("plain", { key: "none" });
  await database.query("CREATE TABLE under (id int, v text); INSERT INTO under VALUES (1, 'a'), (2, 'b')");
  await database.query("CREATE VIEW over_it AS SELECT id, v FROM under");
  const lake = newLake(folder.path, duckdb);
  const context = ingestContext(lake, database.url);
  const view: PipelineDefinition = { name: "p", source: postgres({ tables: { over_it: { key: ["id"] } } }) };
  await load(context, view);
  await database.query(
    "ALTER TABLE plain ADD extra text DEFAULT 'open'; INSERT INTO plain (id, n, note) VALUES (77, 7, NULL); CREATE OR REPLACE VIEW over_it AS SELECT id, v, id * 2 AS twice FROM under; INSERT INTO under VALUES (3, 'c')",
  );
  await t.sync();
  await t.expectSame(["id", "n", "note", "extra"]);
  expect(await keepUp(context, view)).toMatchObject([{ rows: 3 }]);
  expect(await bronzeRows(lake, "p/bronze/over_it", ["id", "v", "twice"])).toEqual(
    await sourceRows(database, "over_it", ["id", "v", "twice"]),
  );
});
