import pg from "pg";
import { expect, it } from "vitest";
import { Lake } from "../../lakehouse/lake.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { type IngestReport, load, sync } from "../../layers/bronze/ingest.ts";
import { type PipelineDefinition, postgres, type SourceTable } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

/** A lake with one loaded table, and ways to bring it up to date and to look at it. */
async function loaded(table: string, options: SourceTable = {}, url = database.url) {
  const pipeline: PipelineDefinition = { name: "p", source: postgres({ tables: { [table]: options } }) };
  const lake = newLake(folder.path, duckdb);
  await load(ingestContext(lake, url), pipeline);
  return {
    lake,
    pipeline,
    sync: async (from = url): Promise<IngestReport | undefined> =>
      (await sync(ingestContext(lake, from), pipeline))[0],
    count: async () =>
      (await queryTable(lake, `p/bronze/${table}`, "SELECT count(*)::INTEGER AS n FROM t"))[0]?.n,
  };
}

it("a rival that synced after this run's bases were read makes it lose, not lie", async () => {
  await database.query("CREATE TABLE raced (id bigint PRIMARY KEY, v text)");
  await database.query("INSERT INTO raced VALUES (1, 'v1')");
  const { lake, pipeline } = await loaded("raced", { deletes: "compare" });
  const open = await database.connect();
  await open.query("BEGIN; CREATE TEMP TABLE holds_an_id (id int)");
  await database.query("UPDATE raced SET v = 'v2'");
  // The rival does its whole sync while the slow run, whose moment lies before the rival's, holds its connection.
  const rival = newRival(lake.store.root);
  let planted: Promise<unknown> | undefined;
  const slow = sync(
    {
      ...ingestContext(lake, database.url),
      onProgress: ({ state, rows }) => {
        if (state !== "running" || rows !== 0 || planted) return;
        planted = database
          .query("INSERT INTO raced VALUES (2, 'new'); UPDATE raced SET v = 'v3' WHERE id = 1")
          .then(() => sync(ingestContext(rival, database.url), pipeline));
      },
    },
    pipeline,
  );
  const outcomes = await Promise.allSettled([slow, slow.catch(() => {}).then(() => planted)]);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "BRONZE_RACE_LOST" });
  }
  await open.query("ROLLBACK");
  await open.end();
  await sync(ingestContext(rival, database.url), pipeline);
  const newest =
    "SELECT id, v, _ingot_op <> 'd' AS alive FROM t QUALIFY row_number() OVER (PARTITION BY id ORDER BY _ingot_lsn DESC) = 1 ORDER BY id";
  expect(await queryTable(rival, "p/bronze/raced", newest)).toEqual([
    { id: 1n, v: "v3", alive: true },
    { id: 2n, v: "new", alive: true },
  ]);
});

/** The same lake as another process sees it. */
const newRival = (root: string) => new Lake(new LocalStore(root), duckdb);

it("refuses another database of the same cluster", async () => {
  await database.query("CREATE TABLE kept (id bigint PRIMARY KEY)");
  await database.query("INSERT INTO kept VALUES (1)");
  const table = await loaded("kept", { deletes: "compare" });
  await database.query("CREATE DATABASE staging");
  const url = new URL(database.url);
  url.pathname = "staging";
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await client.query("CREATE TABLE kept (id bigint PRIMARY KEY)");
  await client.end();
  await expect(table.sync(url.href)).rejects.toMatchObject({ code: "SOURCE_POSITION_INVALID" });
  expect(await table.count()).toBe(1);
  await database.query("DROP DATABASE staging");
});

it("takes partitions that were attached, and a table that was swapped in, whole", async () => {
  await database.query(
    "CREATE TABLE parted (id bigint, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at)",
  );
  await database.query(
    "CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
  );
  await database.query("INSERT INTO parted VALUES (1, '2026-01-05')");
  await database.query("CREATE TABLE parted_2 (id bigint NOT NULL, at date NOT NULL)");
  await database.query("INSERT INTO parted_2 VALUES (2, '2026-02-05')");
  const table = await loaded("parted");
  await database.query(
    "ALTER TABLE parted ATTACH PARTITION parted_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
  );
  expect(await table.sync()).toMatchObject({ rows: 1 });
  expect(await table.sync()).toMatchObject({ status: "unchanged" });

  await database.query("CREATE TABLE swapped (id bigint PRIMARY KEY)");
  await database.query("CREATE TABLE swapped_new (id bigint PRIMARY KEY)");
  await database.query("INSERT INTO swapped_new SELECT generate_series(1, 3)");
  const swapped = await loaded("swapped");
  await database.query(
    "ALTER TABLE swapped RENAME TO swapped_old; ALTER TABLE swapped_new RENAME TO swapped",
  );
  expect(await swapped.sync()).toMatchObject({ rows: 3 });
});

it("fails where row-level security hides rows, instead of taking them for deleted", async () => {
  await database.query("CREATE TABLE guarded (id bigint PRIMARY KEY)");
  await database.query("INSERT INTO guarded SELECT generate_series(1, 10)");
  await database.query("CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT SELECT ON guarded TO reader");
  const url = new URL(database.url);
  [url.username, url.password] = ["reader", "reader"];
  const table = await loaded("guarded", { deletes: "compare" }, url.href);
  await database.query(
    "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON guarded USING (id <= 5)",
  );
  await expect(table.sync()).rejects.toThrow("row-level security");
  expect(await table.count()).toBe(10);
});

it("sees rows whose cursor is null, and rows of long transactions", async () => {
  await database.query("CREATE TABLE cursed (id bigint PRIMARY KEY, at timestamptz)");
  await database.query("INSERT INTO cursed VALUES (0, now())");
  const long = await database.connect();
  await long.query("BEGIN; INSERT INTO cursed VALUES (3, now())");
  const table = await loaded("cursed", { cursor: "at", longestTransaction: 0.000001 });
  await database.query("INSERT INTO cursed VALUES (1, NULL), (2, now())");
  await long.query("COMMIT");
  await long.end();
  expect(await table.sync()).toMatchObject({ rows: 3 });
});

it("does not double rows of a table without key that was rewritten", async () => {
  await database.query("CREATE TABLE packed (note text)");
  await database.query("INSERT INTO packed VALUES ('x')");
  const open = await database.connect();
  await open.query("BEGIN; CREATE TEMP TABLE holds_an_id (id int)");
  await database.query("INSERT INTO packed VALUES ('y')");
  const table = await loaded("packed", { key: "none" });
  await open.query("ROLLBACK");
  await open.end();
  await database.query("DELETE FROM packed WHERE note = 'x'");
  await database.query("VACUUM FULL packed");
  expect(await table.sync()).toMatchObject({ status: "unchanged" });
  expect(await table.count()).toBe(2);
});

it("keeps a value that has no place in its column beside it, as it was", async () => {
  await database.query("CREATE TABLE spoiled (id bigint PRIMARY KEY, m numeric(6,2), day date)");
  await database.query(
    "INSERT INTO spoiled VALUES (1, 'NaN', 'infinity'), (2, 1.5, '0044-03-15 BC'), (3, NULL, NULL)",
  );
  const { lake } = await loaded("spoiled");
  const rows = await queryTable(
    lake,
    "p/bronze/spoiled",
    "SELECT id, m, day, _ingot_rescued FROM t ORDER BY id",
  );
  expect(rows.map((row) => Object.values(row))).toEqual([
    [1n, null, null, '{"m":"NaN","day":"infinity"}'],
    [2n, "1.50", null, '{"day":"0044-03-15 BC"}'],
    [3n, null, null, null],
  ]);
});
