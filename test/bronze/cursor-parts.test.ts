/** Reads of a sync in statements that are short enough. */
import { expect, it } from "vitest";
import { load, sync } from "../../layers/bronze/ingest.ts";
import { lockTables, measureExtents } from "../../layers/bronze/load/extent.ts";
import { shareSnapshot } from "../../layers/bronze/postgres/snapshot.ts";
import { readPart } from "../../layers/bronze/query/read-part.ts";
import { describeAll } from "../../layers/bronze/source-tables.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { bronzeRows, sourceRows } from "../support/bronze-state.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";
import { DIVIDES } from "./large-table.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

const pipelineOf = (source: Omit<Parameters<typeof postgres>[0], "kind">): PipelineDefinition => ({
  name: "p",
  source: postgres(source),
});

it.each(["at once", "by an index"])("divides what takes too long, first read %s", async (first) => {
  await database.query("DROP TABLE IF EXISTS slow");
  await database.query("CREATE TABLE slow (id int PRIMARY KEY, pad text)");
  await database.query("INSERT INTO slow SELECT g, repeat('p', 300) FROM generate_series(1, 3000) g");
  // A statement that looks at more than 100 rows takes too long; a block holds some 24.
  await database.query(`CREATE OR REPLACE FUNCTION hesitate() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
    DECLARE seen int := coalesce(nullif(current_setting('test.seen', true), ''), '0');
    BEGIN
      IF current_setting('test.began', true) IS DISTINCT FROM statement_timestamp()::text THEN seen := 0; END IF;
      PERFORM set_config('test.began', statement_timestamp()::text, false), set_config('test.seen', (seen + 1)::text, false);
      IF seen >= 100 THEN RAISE EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = '57014'; END IF;
      RETURN true;
    END $$`);
  const [table] = await describeAll(database.url, pipelineOf({ tables: { slow: {} } }));
  if (table === undefined) throw new Error("no table");
  const shared = await shareSnapshot(database.url);
  const session = await duckdb.session();
  const client = await shared.reader();
  try {
    await lockTables(client, [table]);
    const extent = (await measureExtents(client, [table])).get(table) ?? { leaves: [], bytes: undefined };
    let arrived = 0;
    const reading = readPart(
      { client, table, extent, statementSeconds: 10 },
      session,
      {
        name: "rows",
        columns: "id",
        names: "id",
        where: "hesitate()",
        indexed: first === "by an index",
        select: (file) =>
          `SELECT column0 AS id FROM read_csv('${file}', header = false, columns = {column0: 'INTEGER'})`,
        csv: {},
      },
      { onArrival: (sofar) => (arrived = sofar) },
    );
    // Read by blocks, each statement would look at all rows.
    if (!DIVIDES) return await expect(reading).rejects.toMatchObject({ code: "POSTGRES_STATEMENT_TIMEOUT" });
    const bytes = await reading;
    expect(
      await session.rows("SELECT count(*)::INTEGER AS n, count(DISTINCT id)::INTEGER AS ids FROM rows"),
    ).toEqual([{ n: 3000, ids: 3000 }]);
    expect([bytes, arrived]).toEqual([bytes, bytes]);
  } finally {
    await client.end();
    await session.close();
    await shared.end();
  }
});

it("syncs, compares keys and takes attached partitions range by range", async () => {
  await database.query("CREATE TABLE parts (id int PRIMARY KEY, pad text) PARTITION BY RANGE (id)");
  for (const n of [0, 1]) {
    await database.query(
      `CREATE TABLE parts_${n} PARTITION OF parts FOR VALUES FROM (${n * 10000}) TO (${(n + 1) * 10000})`,
    );
  }
  await database.query("INSERT INTO parts SELECT g, repeat('p', 500) FROM generate_series(0, 19999) g");
  const lake = newLake(folder.path, duckdb);
  const context = ingestContext(lake, database.url);
  const pipeline = pipelineOf({
    tables: { parts: { deletes: "compare" } },
    limits: { statementSeconds: 1 },
  });
  await load(context, pipeline);
  await database.query("CREATE TABLE parts_2 (id int PRIMARY KEY, pad text)");
  await database.query("INSERT INTO parts_2 SELECT g, repeat('q', 500) FROM generate_series(20000, 29999) g");
  await database.query("ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (20000) TO (30000)");
  await database.query(
    "UPDATE parts SET pad = 'changed' WHERE id % 1000 = 1; DELETE FROM parts WHERE id % 1000 = 2",
  );
  expect(await sync(context, pipeline)).toMatchObject([{ rows: 20 + 20 + 9990, deleted: 20 }]);
  expect(await bronzeRows(lake, "p/bronze/parts", ["id", "pad"])).toEqual(
    await sourceRows(database, "parts", ["id", "pad"]),
  );
});

it.each([
  ["day", "date", "'infinity'", "day: infinity"],
  ["at", "timestamptz", "'-infinity'", "at: -infinity"],
  ["amount", "numeric(6,2)", "'NaN'", "amount: NaN"],
])("refuses a key whose value has no place: %s", async (column, type, value, shown) => {
  const table = `keyed_${column}`;
  await database.query(`CREATE TABLE ${table} (${column} ${type}, v text, PRIMARY KEY (${column}))`);
  const context = ingestContext(newLake(folder.path, duckdb), database.url);
  const pipeline = pipelineOf({ tables: { [table]: { deletes: "compare" } } });
  await load(context, pipeline);
  await database.query(`INSERT INTO ${table} VALUES (${value}, 'a')`);
  await expect(sync(context, pipeline)).rejects.toMatchObject({ code: "COPY_KEY_VALUE", value: shown });
  const again = ingestContext(newLake(folder.path, duckdb), database.url);
  await expect(load(again, pipeline)).rejects.toMatchObject({ code: "COPY_KEY_VALUE", value: shown });
});
