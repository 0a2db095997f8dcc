import { cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { expect, it } from "vitest";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { load, sync } from "../../layers/bronze/ingest.ts";
import { aggregate, full, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { defineTable, integer, long, text } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";
import { writeRows } from "../support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

const items = defineTable({
  name: "items",
  description: "current items",
  key: ["id"],
  columns: { id: long(), kind: text(), n: integer().nullable() },
});
const kinds = defineTable({
  name: "kinds",
  description: "items by kind",
  key: ["kind"],
  columns: { kind: text(), items: long(), total: long().nullable() },
});

const pipeline = async (): Promise<PipelineDefinition> => {
  const root = `${folder.path}/pipeline-${crypto.randomUUID()}`;
  await mkdir(`${root}/silver`, { recursive: true });
  await mkdir(`${root}/gold`);
  await writeFile(
    `${root}/silver/items.sql`,
    "SELECT id, upper(kind) AS kind, n FROM bronze.items WHERE kind <> 'skip';\n",
  );
  await writeFile(
    `${root}/gold/kinds.sql`,
    "SELECT kind, count(*) AS items, sum(n) AS total FROM silver.items GROUP BY kind ORDER BY kind",
  );
  return {
    name: "p",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { items: { deletes: "compare" } } }),
    silver: { items: merge(items) },
    gold: { kinds: full(kinds) },
  };
};

const buildAll = async (lake: Lake, definition: PipelineDefinition) =>
  build({ lake, concurrency: 2, onProgress: ignoreProgress }, definition);

const operation = fc.oneof(
  fc.record({
    op: fc.constant("upsert" as const),
    id: fc.integer({ min: 1, max: 30 }),
    kind: fc.constantFrom("a", "b", "skip", ""),
    n: fc.option(fc.integer({ min: -9, max: 9 })),
  }),
  fc.record({ op: fc.constant("delete" as const), id: fc.integer({ min: 1, max: 30 }) }),
);

it("keeps silver and gold equal to the source and to a rebuild, whatever changes between runs", async () => {
  const definition = await pipeline();
  await database.query("CREATE TABLE items (id bigint PRIMARY KEY, kind text NOT NULL, n integer)");
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(operation, { maxLength: 8 }), { minLength: 1, maxLength: 5 }),
      async (batches) => {
        await database.query("TRUNCATE items");
        await database.query("INSERT INTO items SELECT g, 'a', g FROM generate_series(1, 10) g");
        const lake = newLake(folder.path, duckdb);
        const context = ingestContext(lake, database.url);
        await load(context, definition);
        await buildAll(lake, definition);
        for (const batch of batches) {
          for (const change of batch) {
            if (change.op === "delete") await database.query("DELETE FROM items WHERE id = $1", [change.id]);
            else
              await database.query(
                "INSERT INTO items VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, n = excluded.n",
                [change.id, change.kind, change.n],
              );
          }
          await sync(context, definition);
          await buildAll(lake, definition);
          const source = await database.query<{ id: string; kind: string; n: number | null }>(
            "SELECT id, upper(kind) AS kind, n FROM items WHERE kind <> 'skip' ORDER BY id",
          );
          expect(await queryTable(lake, "p/silver/items", "FROM t ORDER BY id")).toEqual(
            source.map((row) => ({ ...row, id: BigInt(row.id) })),
          );
        }
        // The same models over the same bronze, made from nothing.
        const rebuilt = newLake(folder.path, duckdb);
        await cp(`${lake.store.root}/p/bronze`, `${rebuilt.store.root}/p/bronze`, { recursive: true });
        await buildAll(rebuilt, definition);
        for (const path of ["p/silver/items", "p/gold/kinds"] as const) {
          expect(await queryTable(lake, path, "FROM t ORDER BY 1")).toEqual(
            await queryTable(rebuilt, path, "FROM t ORDER BY 1"),
          );
        }
      },
    ),
    { numRuns: 8 },
  );
});

it("does nothing where nothing changed, and rebuilds when the SQL did", async () => {
  const definition = await pipeline();
  await database.query(
    "CREATE TABLE IF NOT EXISTS items (id bigint PRIMARY KEY, kind text NOT NULL, n integer)",
  );
  await database.query("TRUNCATE items");
  await database.query("INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 2)");
  const lake = newLake(folder.path, duckdb);
  await load(ingestContext(lake, database.url), definition);
  expect((await buildAll(lake, definition)).map((r) => r.status)).toEqual(["rebuilt", "rebuilt"]);
  expect((await buildAll(lake, definition)).map((r) => r.status)).toEqual(["unchanged", "unchanged"]);
  await writeFile(
    new URL("silver/items.sql", definition.folder),
    "SELECT id, kind, n + 1 AS n FROM bronze.items",
  );
  expect((await buildAll(lake, definition)).map((r) => r.status)).toEqual(["rebuilt", "incremental"]);
  expect(await queryTable(lake, "p/silver/items", "FROM t ORDER BY id")).toEqual([
    { id: 1n, kind: "a", n: 2 },
    { id: 2n, kind: "b", n: 3 },
  ]);
});

it.each([
  ["broken SQL", "SELEC id FROM bronze.items", "MODEL_SQL"],
  ["an unknown column", "SELECT id, kind, nope AS n FROM bronze.items", "MODEL_SQL"],
  ["an unknown table", "SELECT id, kind, n FROM bronze.nothing", "MODEL_UNKNOWN_TABLE"],
  ["a missing column", "SELECT id, kind FROM bronze.items", "MODEL_COLUMNS"],
  [
    "two bronze tables",
    "SELECT a.id, a.kind, b.n FROM bronze.items a JOIN bronze.other b USING (id)",
    "MODEL_UNKNOWN_TABLE",
  ],
  ["keys that its table does not have", "SELECT id + 100 AS id, kind, n FROM bronze.items", "MODEL_MERGE"],
  ["a key more than once", "SELECT id, kind, n FROM bronze.items, range(2)", "MODEL_MERGE"],
  ["itself", "SELECT id, kind, n FROM silver.items", "MODEL_CYCLE"],
])("refuses a model with %s and leaves its table as it was", async (_name, sql, code) => {
  const definition = await pipeline();
  await database.query(
    "CREATE TABLE IF NOT EXISTS items (id bigint PRIMARY KEY, kind text NOT NULL, n integer)",
  );
  const lake = newLake(folder.path, duckdb);
  await load(ingestContext(lake, database.url), definition);
  await buildAll(lake, definition);
  await writeFile(new URL("silver/items.sql", definition.folder), sql);
  await database.query("INSERT INTO items VALUES (77, 'a', 1) ON CONFLICT DO NOTHING");
  await expect(buildAll(lake, definition)).rejects.toMatchObject({ code });
  expect((await lake.table("p/silver/items").existingSnapshot()).version).toBe(0);
  const left = await readdir(`${lake.store.root}/p/silver/items`);
  expect(left.filter((file) => file.endsWith(".parquet"))).toHaveLength(1);
});

it("finds the newest row of each key in bronze that was compacted to one file", async () => {
  const definition = await pipeline();
  await database.query(
    "CREATE TABLE IF NOT EXISTS items (id bigint PRIMARY KEY, kind text NOT NULL, n integer)",
  );
  await database.query("TRUNCATE items");
  await database.query("INSERT INTO items VALUES (1, 'a', 1), (2, 'b', 2)");
  const lake = newLake(folder.path, duckdb);
  const context = ingestContext(lake, database.url);
  await load(context, definition);
  await database.query("UPDATE items SET kind = 'c' WHERE id = 1; DELETE FROM items WHERE id = 2");
  await sync(context, definition);
  const bronze = lake.table("p/bronze/items");
  const base = await bronze.existingSnapshot();
  const session = await duckdb.session();
  const all = await scanSql(bronze.store, scannable(base));
  const staged = await bronze.stage(session, all, base.schema);
  await session.close();
  const removes = [...base.files.values()];
  await bronze.write({ operation: "OPTIMIZE", base, schema: base.schema, staged, removes, reads: "table" });
  await buildAll(lake, definition);
  expect(await queryTable(lake, "p/silver/items", "FROM t")).toEqual([{ id: 1n, kind: "C", n: 1 }]);
});

it("reads the rows of a table that was made anew once, though none of them differs", async () => {
  const definition = { ...(await pipeline()), gold: { kinds: aggregate(kinds) } };
  const lake = newLake(folder.path, duckdb);
  await database.query(
    "DROP TABLE IF EXISTS items; CREATE TABLE items (id bigint PRIMARY KEY, kind text NOT NULL, n integer); INSERT INTO items SELECT g, 'a', g FROM generate_series(1, 1500) g",
  );
  await load(ingestContext(lake, database.url), definition);
  const run = (anew: string[] = []) =>
    build({ lake, concurrency: 2, onProgress: ignoreProgress, anew }, definition);
  await run();
  expect(await run(["silver.items"])).toMatchObject([
    { model: "silver.items", status: "rebuilt" },
    { model: "gold.kinds", status: "unchanged", rowsIn: 3000 },
  ]);
  expect(await run()).toMatchObject([
    { model: "silver.items", status: "unchanged" },
    { model: "gold.kinds", status: "unchanged", rowsIn: 0 },
  ]);
});

it("does not overwrite a table that no model made", async () => {
  const definition = await pipeline();
  await database.query(
    "CREATE TABLE IF NOT EXISTS items (id bigint PRIMARY KEY, kind text NOT NULL, n integer)",
  );
  const lake = newLake(folder.path, duckdb);
  await load(ingestContext(lake, database.url), definition);
  await writeRows(duckdb, lake.table("p/silver/items"), "SELECT 1 AS id, 'x' AS name, 1 AS price");
  await expect(buildAll(lake, definition)).rejects.toMatchObject({ code: "MODEL_FOREIGN_TABLE" });
});
