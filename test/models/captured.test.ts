/** Models over captured changes: every operation, new keys and truncations among them, in transactions of all sizes. */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { beforeAll, expect, it } from "vitest";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { load } from "../../layers/bronze/ingest.ts";
import { keepUp } from "../../layers/bronze/keep-up.ts";
import { full, merge } from "../../layers/definition/model.ts";
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
  columns: { id: long(), kind: text(), n: integer().nullable(), size: long().nullable() },
});
const kinds = defineTable({
  name: "kinds",
  description: "items by kind",
  key: ["kind"],
  columns: { kind: text(), items: long(), total: long().nullable() },
});

beforeAll(async () => {
  await mkdir(`${folder.path}/silver`);
  await mkdir(`${folder.path}/gold`);
  await writeFile(
    `${folder.path}/silver/items.sql`,
    "SELECT id, upper(kind) AS kind, n, length(body) AS size FROM bronze.items WHERE kind <> 'skip'",
  );
  await writeFile(
    `${folder.path}/gold/kinds.sql`,
    "SELECT kind, count(*) AS items, sum(n) AS total FROM silver.items GROUP BY kind ORDER BY kind",
  );
  // Long enough to lie outside of the row: an update that leaves it alone does not send it.
  await database.query(
    "CREATE TABLE items (id bigint PRIMARY KEY, kind text NOT NULL, n integer, body text); ALTER TABLE items ALTER body SET STORAGE EXTERNAL",
  );
});

const newPipeline = (): PipelineDefinition => ({
  name: `p_${crypto.randomUUID().slice(0, 8)}`,
  folder: pathToFileURL(`${folder.path}/`),
  source: postgres({ changes: "wal", tables: { items: {} } }),
  silver: { items: merge(items) },
  gold: { kinds: full(kinds) },
});

const id = fc.integer({ min: 1, max: 15 });
const kind = fc.constantFrom("a", "b", "skip", "");
/** A statement with its values. */
const statement = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(id, kind, fc.option(fc.integer({ min: -9, max: 9 })), fc.nat({ max: 3000 }))
      .map(
        (values) =>
          [
            "INSERT INTO items VALUES ($1, $2, $3, repeat('x', $4::int)) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, n = excluded.n",
            values,
          ] as const,
      ),
  },
  { weight: 3, arbitrary: id.map((value) => ["DELETE FROM items WHERE id = $1", [value]] as const) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(id, id)
      .map(
        (values) =>
          [
            "UPDATE items SET id = $2 WHERE id = $1 AND NOT EXISTS (SELECT FROM items WHERE id = $2)",
            values,
          ] as const,
      ),
  },
  {
    weight: 2,
    arbitrary: kind.map((value) => ["UPDATE items SET n = id, kind = $1 WHERE id % 2 = 0", [value]] as const),
  },
  { weight: 1, arbitrary: fc.constant(["TRUNCATE items", []] as const) },
);
const transaction = fc.record({
  statements: fc.array(statement, { minLength: 1, maxLength: 5 }),
  end: fc.constantFrom("COMMIT", "COMMIT", "COMMIT", "ROLLBACK"),
});
const round = fc.record({
  transactions: fc.array(transaction, { maxLength: 4 }),
  // Several syncs may lie between two builds.
  builds: fc.boolean(),
});

type Transaction = typeof transaction extends fc.Arbitrary<infer T> ? T : never;

async function run(transactions: readonly Transaction[]): Promise<void> {
  const client = await database.connect();
  try {
    for (const { statements, end } of transactions) {
      await client.query("BEGIN");
      for (const [sql, values] of statements) await client.query(sql, [...values]);
      await client.query(end);
    }
  } finally {
    await client.end();
  }
}

const buildAll = (lake: Lake, pipeline: PipelineDefinition) =>
  build({ lake, concurrency: 2, onProgress: ignoreProgress }, pipeline);

it("keeps silver and gold equal to the source and to a rebuild, whatever is captured between builds", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 5 }), async (rounds) => {
      const pipeline = newPipeline();
      const { name } = pipeline;
      const lake = newLake(folder.path, duckdb);
      const context = ingestContext(lake, database.url);
      await database.query("TRUNCATE items");
      await database.query(
        "INSERT INTO items SELECT g, 'a', g, repeat('y', 3000) FROM generate_series(1, 8) g",
      );
      try {
        await load(context, pipeline);
        await buildAll(lake, pipeline);
        for (const { transactions, builds } of [...rounds, { transactions: [], builds: true }]) {
          await run(transactions);
          await keepUp(context, pipeline);
          if (!builds) continue;
          await buildAll(lake, pipeline);
          const source = await database.query<{ id: string; size: string | null }>(
            "SELECT id, upper(kind) AS kind, n, length(body)::bigint AS size FROM items WHERE kind <> 'skip' ORDER BY id",
          );
          expect(await queryTable(lake, `${name}/silver/items`, "FROM t ORDER BY id")).toEqual(
            source.map((row) => ({ ...row, id: BigInt(row.id), size: row.size && BigInt(row.size) })),
          );
        }
        // The same models over the same bronze, made from nothing.
        const rebuilt = newLake(folder.path, duckdb);
        await cp(`${lake.store.root}/${name}/bronze`, `${rebuilt.store.root}/${name}/bronze`, {
          recursive: true,
        });
        await buildAll(rebuilt, pipeline);
        for (const path of [`${name}/silver/items`, `${name}/gold/kinds`] as const) {
          expect(await queryTable(lake, path, "FROM t ORDER BY 1")).toEqual(
            await queryTable(rebuilt, path, "FROM t ORDER BY 1"),
          );
        }
      } finally {
        await database.query(
          "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1",
          [`ingot_${name}`],
        );
        await database.query(
          `DROP PUBLICATION IF EXISTS ingot_${name}; DROP PUBLICATION IF EXISTS ingot_${name}_inserts`,
        );
      }
    }),
    { numRuns: 10 },
  );
});

it("gives nothing up for a change that lies before rows which were read", async () => {
  const lake = newLake(folder.path, duckdb);
  const pipeline: PipelineDefinition = { ...newPipeline(), source: postgres({ tables: { items: {} } }) };
  const path = `${pipeline.name}/bronze/items` as const;
  await database.query("TRUNCATE items; INSERT INTO items VALUES (1, 'a', 1), (2, 'a', 2), (3, 'a', 3)");
  await load(ingestContext(lake, database.url), pipeline);
  const bronze = lake.table(path);
  const take = async (rows: string) => {
    const values =
      "id, kind, n, NULL AS body, op AS _ingot_op, (SELECT max(_ingot_lsn) FROM t) + after AS _ingot_lsn";
    const meta =
      "seq AS _ingot_seq, NULL AS _ingot_xid, NULL AS _ingot_committed_at, now() AS _ingot_at, NULL AS _ingot_rescued";
    const read = await scanSql(bronze.store, scannable(await bronze.existingSnapshot(0)));
    await writeRows(
      duckdb,
      bronze,
      `WITH t AS (${read}) SELECT ${values}, ${meta} FROM (VALUES ${rows}) r(id, kind, n, op, after, seq)`,
    );
    await buildAll(lake, pipeline);
    return queryTable(lake, `${pipeline.name}/silver/items`, "SELECT id, n FROM t ORDER BY id");
  };
  await buildAll(lake, pipeline);
  // A repair read row 1, and that row 2 was gone, while the capture was behind.
  const repaired = [
    { id: 1n, n: 10 },
    { id: 3n, n: 3 },
  ];
  expect(await take("(1, 'a', 10, 'r', 500, 0), (2, 'a', 0, 'd', 500, 0)")).toEqual(repaired);
  expect(await take("(1, 'a', 7, 'u', 200, 1), (2, 'a', 8, 'u', 300, 1)")).toEqual(repaired);
  expect(await take("(1, 'a', 10, 'u', 400, 1), (2, NULL, NULL, 'd', 450, 1)")).toEqual(repaired);
  expect(await take("(3, 'a', 11, 'u', 500, 1)")).toEqual([
    { id: 1n, n: 10 },
    { id: 3n, n: 11 },
  ]);
});
