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
  await database.query(`INSERT INTO ${name} (id, n, note) SELECT g, g, 'x' || g FROM generate_series(1, 40) g`);
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
  const name = (what: string) => `${what}_${label.replace(" ", "_")}`;
  const seen = options.cursor === "id" ? (table: string) => `INSERT INTO ${table} (id, n, note) VALUES (50, 50, 'new')` : (table: string) => `UPDATE ${table} SET note = 'new', at = now() WHERE id = 7`;

  it.each([
    ["added", "ADD extra text", ["extra"], ["added extra: column added"]],
    ["filled", "ADD extra text DEFAULT 'open'", ["extra"], ["added extra: column added"]],
    ["random", "ADD extra uuid DEFAULT gen_random_uuid()", ["extra"], ["added extra: column added"]],
    ["doubled", "ADD extra int GENERATED ALWAYS AS (n * 2) STORED", ["extra"], ["added extra: column added"]],
    ["widened", "ALTER n TYPE bigint USING n + 5000000000", ["n"], ["retyped n: type widened to BIGINT"]],
    ["longer", "ALTER note TYPE text", ["note"], ["retyped note: type as before"]],
    ["cast", "ALTER note TYPE int USING id", ["note"], ["retyped note: stays VARCHAR, other values rescued"]],
    ["renamed", "RENAME note TO label", ["label"], ["renamed label: column added"]],
    ["swapped", "RENAME n TO m; ALTER TABLE $ RENAME note TO n; ALTER TABLE $ RENAME m TO note", [], undefined],
    ["anew", "DROP note; ALTER TABLE $ ADD note varchar(20) DEFAULT 'again'", ["note"], ["added note: type as before"]],
    ["dropped", "DROP note", [], ["dropped note: column stays, empty from now on"]],
  ] as const)("%s", async (what, alter, columns, described) => {
    const table = name(what);
    const t = await loaded(table, options);
    await t.sync();
    await database.query(`ALTER TABLE ${table} ${alter.replaceAll("$", table)}`);
    if (!["renamed", "dropped", "swapped", "cast"].includes(what)) await database.query(seen(table));
    await t.sync();
    await t.expectSame(["id", "n", "at", ...columns]);
    if (described) expect(await t.drift()).toEqual(described);
    const version = await t.version();
    await database.query(`INSERT INTO ${table} (id, n, at) VALUES (99, 99, now())`.replace("n, at", what === "swapped" ? "note, at" : "n, at"));
    await t.sync();
    await t.expectSame(["id", "n", "at", ...columns]);
    expect(await t.version()).toBe(version + 1);
  });
});
