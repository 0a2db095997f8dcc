import { expect, it } from "vitest";
import { ignoreProgress, type ProgressListener } from "../../lakehouse/progress.ts";
import { load, sync } from "../../layers/bronze/ingest.ts";
import { verify } from "../../layers/bronze/verify/verify.ts";
import { currentStateSql } from "../../layers/definition/bronze-state.ts";
import { type PipelineDefinition, postgres, type SourceTable } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

/** A lake with one loaded table. */
async function loaded(
  table: string,
  options: SourceTable = {},
  onProgress: ProgressListener = ignoreProgress,
) {
  const pipeline: PipelineDefinition = { name: "p", source: postgres({ tables: { [table]: options } }) };
  const lake = newLake(folder.path, duckdb);
  const context = { ...ingestContext(lake, database.url), onProgress };
  await load(context, pipeline);
  return {
    sync: () => sync(context, pipeline),
    verify: async (settings = {}) => (await verify(context, pipeline, settings))[0],
    /** The rows that bronze says the source has, as text in order. */
    state: async (columns: readonly string[], key: readonly string[]) => {
      const state = currentStateSql("FROM t", key, columns);
      const rows = await queryTable(
        lake,
        `p/bronze/${table}`,
        `SELECT concat_ws('|', ${columns.join(", ")}) AS r FROM (${state}) ORDER BY 1`,
      );
      return rows.map(({ r }) => r);
    },
  };
}

const sourceState = async (table: string, columns: string) =>
  (await database.query(`SELECT concat_ws('|', ${columns}) COLLATE "C" AS r FROM ${table} ORDER BY 1`)).map(
    ({ r }) => r,
  );

it("finds what a sync cannot see, range by range, and repairs it", async () => {
  await database.query(
    "CREATE TABLE items (id bigint PRIMARY KEY, v text, at timestamptz NOT NULL DEFAULT '2021-01-01')",
  );
  await database.query("CREATE INDEX ON items (at)");
  await database.query("INSERT INTO items SELECT g, 'v' || g FROM generate_series(1, 2000) g");
  const items = await loaded("items", { cursor: "at" });
  expect(await items.verify({ rangeRows: 100 })).toMatchObject({
    status: "same",
    sourceRows: 2000,
    lakeRows: 2000,
    ranges: 20,
    differing: [],
    bytes: 0,
  });

  // Changes that do not move the cursor, rows that came with an old one, and deletions.
  await database.query("UPDATE items SET v = 'lost' WHERE id IN (7, 8, 1500)");
  await database.query("INSERT INTO items SELECT g, 'old', '2020-01-01' FROM generate_series(5001, 5300) g");
  await database.query("DELETE FROM items WHERE id BETWEEN 901 AND 905");
  await database.query("INSERT INTO items VALUES (9000, 'taken', now())");
  const found = await items.verify({ rangeRows: 100 });
  expect(found).toMatchObject({
    status: "different",
    sourceRows: 2296,
    lakeRows: 2001,
    missing: 300,
    extra: 5,
    different: 3,
    repaired: 0,
  });
  expect(found?.differing.slice(0, 3)).toEqual([
    { from: null, to: expect.any(String), missing: 0, extra: 0, different: 2 },
    { from: expect.any(String), to: expect.any(String), missing: 0, extra: 5, different: 0 },
    { from: expect.any(String), to: expect.any(String), missing: 0, extra: 0, different: 1 },
  ]);
  expect(found?.examples[0]).toBe('{"id":7}');

  expect(await items.verify({ rangeRows: 100, repair: true })).toMatchObject({
    status: "repaired",
    repaired: 308,
  });
  expect(await items.verify({ rangeRows: 100 })).toMatchObject({ status: "same" });
  expect(await items.state(["id", "v"], ["id"])).toEqual(await sourceState("items", "id, v"));

  // What comes after the repair is newer than it.
  await database.query("UPDATE items SET v = 'after', at = now() WHERE id IN (7, 5001)");
  expect(await items.sync()).toMatchObject([{ rows: 2 }]);
  expect(await items.state(["id", "v"], ["id"])).toEqual(await sourceState("items", "id, v"));
});

it("reads only rows of buckets that differ", async () => {
  await database.query(
    "CREATE TABLE wide (id int PRIMARY KEY, v text, at timestamptz NOT NULL DEFAULT '2021-01-01')",
  );
  await database.query("INSERT INTO wide SELECT g, repeat('x', 100) FROM generate_series(1, 20000) g");
  const wide = await loaded("wide", { cursor: "at" });
  await database.query("UPDATE wide SET v = 'lost' WHERE id = 12345");
  const found = await wide.verify();
  expect(found).toMatchObject({ different: 1, ranges: 1 });
  expect(found?.bytes).toBeLessThan(200_000);
});

it("takes nothing for a difference that is committed while it compares", async () => {
  await database.query("CREATE TABLE busy (id int PRIMARY KEY, v int)");
  await database.query("INSERT INTO busy SELECT g, 0 FROM generate_series(1, 3000) g");
  let round = 0;
  const planted: Promise<unknown>[] = [];
  const plant: ProgressListener = ({ task }) => {
    // Between the sync and the comparison, during it, and during the sync after it.
    if (round === 0 || !task.includes("bronze.busy")) return;
    round += 1;
    planted.push(
      database.query(
        `UPDATE busy SET v = v + 1 WHERE id % 7 = ${round % 7}; DELETE FROM busy WHERE id = ${round}; INSERT INTO busy VALUES (${10_000 + round}, 0)`,
      ),
    );
  };
  const busy = await loaded("busy", { deletes: "compare" }, plant);
  round = 1;
  for (let i = 0; i < 3; i++)
    expect(await busy.verify({ rangeRows: 500 })).toMatchObject({ status: "same", repaired: 0 });
  await Promise.all(planted);
  expect(planted.length).toBeGreaterThan(3);
  round = 0;
  expect(await busy.verify({ repair: true })).toMatchObject({ status: "same" });
  expect(await busy.state(["id", "v"], ["id"])).toEqual(await sourceState("busy", "id, v"));
});

it("compares tables without key as what they hold, and how often", async () => {
  await database.query("CREATE TABLE notes (note text, amount numeric(5,2))");
  await database.query("INSERT INTO notes SELECT 'a', 1 FROM generate_series(1, 50)");
  await database.query("INSERT INTO notes VALUES (NULL, 'NaN'), ('', NULL), ('b', 2), ('b', 2)");
  const notes = await loaded("notes", { key: "none" });
  expect(await notes.verify()).toMatchObject({ status: "same", lakeRows: 54, ranges: 1 });
  await database.query("DELETE FROM notes WHERE ctid IN (SELECT ctid FROM notes WHERE note = 'a' LIMIT 3)");
  await database.query("DELETE FROM notes WHERE amount = 'NaN'");
  await database.query(
    "UPDATE notes SET amount = 3 WHERE ctid = (SELECT min(ctid) FROM notes WHERE note = 'b')",
  );
  expect(await notes.verify()).toMatchObject({ status: "different", missing: 0, extra: 5, different: 0 });
  expect(await notes.verify({ repair: true })).toMatchObject({ status: "repaired", repaired: 5 });
  expect(await notes.verify()).toMatchObject({ status: "same", sourceRows: 50, lakeRows: 50 });
  expect(await notes.state(["note", "amount"], [])).toEqual(await sourceState("notes", "note, amount"));
});

it.each([
  ["text", "md5(g::text)"],
  ["uuid", "md5(g::text)::uuid"],
  ["numeric(10,3)", "g - 1000.5"],
  ["date", "date '1990-01-01' + g::int"],
  ["timestamp", "timestamp '1999-12-31' + g * interval '1 hour'"],
  ["timestamptz", "timestamptz '1999-12-31' + g * interval '1 hour'"],
  ["char(40)", "md5(g::text)"],
  ["bytea", "decode(md5(g::text), 'hex')"],
  ['text COLLATE "und-x-icu"', "md5(g::text)"],
] as const)("compares ranges of a key of type %s", async (type, key) => {
  const name = `keyed_${type.replace(/\W+/g, "_").toLowerCase()}`;
  await database.query(
    `CREATE TABLE ${name} (a ${type}, b int, v text, at timestamptz NOT NULL DEFAULT '2021-01-01', PRIMARY KEY (a, b))`,
  );
  await database.query(
    `INSERT INTO ${name} SELECT ${key}, b, 'v' FROM generate_series(1, 1000) g, generate_series(1, 2) b`,
  );
  const keyed = await loaded(name, { cursor: "at" });
  const whole = /char|bytea|icu/.test(type);
  expect(await keyed.verify({ rangeRows: 200 })).toMatchObject({
    status: "same",
    ranges: whole ? 1 : 10,
    bytes: 0,
  });
  await database.query(
    `UPDATE ${name} SET v = 'lost' WHERE b = 1 AND a IN (SELECT DISTINCT a FROM ${name} ORDER BY a LIMIT 4)`,
  );
  expect(await keyed.verify({ rangeRows: 200, repair: true })).toMatchObject({
    repaired: 4,
    missing: 0,
    extra: 0,
    different: 4,
  });
  expect(await keyed.verify({ rangeRows: 200 })).toMatchObject({ status: "same" });
});

it("minds no names of columns", async () => {
  const names = [
    "n",
    "k",
    "h",
    "t",
    "e",
    "s",
    "l",
    "d",
    "place",
    "kind",
    "bucket",
    "sum",
    "rows",
    "hashed",
    "order",
  ];
  const columns = names.map((name) => `"${name}" int[]`).join(", ");
  await database.query(
    `CREATE TABLE named (a int PRIMARY KEY, ${columns}, at timestamptz NOT NULL DEFAULT '2021-01-01')`,
  );
  await database.query(
    `INSERT INTO named SELECT g, ${names.map((_, i) => `ARRAY[g, ${i}]`).join(", ")} FROM generate_series(1, 100) g`,
  );
  const named = await loaded("named", { cursor: "at" });
  await database.query("UPDATE named SET e = '{1}', place = NULL WHERE a = 5; DELETE FROM named WHERE a = 6");
  expect(await named.verify({ rangeRows: 10 })).toMatchObject({
    different: 1,
    extra: 1,
    missing: 0,
    ranges: 10,
  });
  expect(await named.verify({ rangeRows: 10, repair: true })).toMatchObject({ repaired: 2 });
  expect(await named.verify()).toMatchObject({ status: "same" });
});

it("names columns that only one side has, and refuses tables that it does not know", async () => {
  await database.query("CREATE TABLE known (id int PRIMARY KEY)");
  const known = await loaded("known");
  expect(await known.verify()).toMatchObject({ status: "same", sourceRows: 0, drifted: [] });
  await expect(known.verify({ tables: ["unknown"] })).rejects.toMatchObject({
    code: "TABLE_UNKNOWN",
    allowed: "known",
  });
});
