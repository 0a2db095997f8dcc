import fc from "fast-check";
import pg from "pg";
import { expect, it } from "vitest";
import { Lake } from "../../lakehouse/lake.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { load, sync } from "../../layers/bronze/ingest.ts";
import { readPosition } from "../../layers/bronze/position.ts";
import { isLoading } from "../../layers/definition/bronze-columns.ts";
import { currentStateSql } from "../../layers/definition/bronze-state.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";
import { createLarge } from "./large-table.ts";
import { killedLoad } from "./load-process.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const database = useDatabase();

const RANGE = 20 * 8192;
const COLUMNS = ["id", "n", "pad"];
const DIGEST =
  "count(*)::INTEGER AS count, sum(n)::INTEGER AS n, md5(string_agg(concat_ws(',', id, n, pad), ';' ORDER BY id)) AS md5";

const fill = (table: string) => createLarge(database, table);

const pipelineOf = (table: string): PipelineDefinition => ({
  name: "p",
  source: postgres({ tables: { [table]: { deletes: "compare" } } }),
});

const killed = (lake: Lake, table: string, steps: number, milliseconds = 0): Promise<boolean> =>
  killedLoad({
    url: database.url,
    lake: lake.store.root,
    table,
    rangeBytes: RANGE,
    steps,
    milliseconds,
    changes: "query",
  });

/** Changes rows all over the table until it is stopped. */
function startWriter(table: string): { readonly stop: () => Promise<number> } {
  let running = true;
  const work = (async () => {
    let rounds = 0;
    for (; running; rounds++) {
      const id = 100_000 + rounds;
      await database.query(
        `UPDATE ${table} SET n = n + 1, pad = repeat('q', 150 + (n * 37) % 200) WHERE id % 97 = ${rounds % 97};
         DELETE FROM ${table} WHERE id = ${1 + ((rounds * 31) % 15_000)};
         INSERT INTO ${table} VALUES (${id}, 0, 'new')`,
      );
    }
    return rounds;
  })();
  return {
    stop: () => {
      running = false;
      return work;
    },
  };
}

/** The lake as a process that has just begun sees it. */
const opened = (lake: Lake) => new Lake(new LocalStore(lake.store.root), duckdb);

async function expectEqual(lake: Lake, table: string): Promise<void> {
  const current = currentStateSql("FROM t", ["id"], COLUMNS);
  expect(await queryTable(opened(lake), `p/bronze/${table}`, `SELECT ${DIGEST} FROM (${current})`)).toEqual(
    await database.query(`SELECT ${DIGEST} FROM ${table}`),
  );
}

it("a load that is killed again and again under writers ends with every row, once it was synced", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.integer({ min: 1, max: 60 }), fc.nat({ max: 30 })), {
        minLength: 2,
        maxLength: 3,
      }),
      fc.nat({ max: 1e9 }),
      async (kills, seed) => {
        const table = `busy_${seed}`;
        await database.query(`DROP TABLE IF EXISTS ${table}`);
        await fill(table);
        const lake = newLake(folder.path, duckdb);
        const writer = startWriter(table);
        for (const [steps, milliseconds] of kills) {
          if (!(await killed(lake, table, steps, milliseconds))) break;
        }
        const [report] = await sync(ingestContext(opened(lake), database.url), pipelineOf(table));
        expect(report?.table).toBe(`bronze.${table}`);
        expect(await writer.stop()).toBeGreaterThan(0);
        await sync(ingestContext(opened(lake), database.url), pipelineOf(table));
        await expectEqual(lake, table);
        await database.query(`DROP TABLE ${table}`);
      },
    ),
    { numRuns: 1, endOnFailure: true },
  );
}, 300_000);

/** A lake with a table whose load was killed after some of its ranges were committed. */
async function interrupted(table: string): Promise<{ lake: Lake; ranges: number }> {
  const lake = newLake(folder.path, duckdb);
  for (let steps = 25; ; steps += 10) {
    expect(await killed(lake, table, steps)).toBe(true);
    const snapshot = await opened(lake).table(`p/bronze/${table}`).snapshot();
    if (snapshot === undefined) continue;
    expect(isLoading(snapshot)).toBe(true);
    return { lake, ranges: snapshot.version + 1 };
  }
}

it("goes on where it was, and reads no block twice", async () => {
  await fill("steady");
  const { lake } = await interrupted("steady");
  const before = await opened(lake).table("p/bronze/steady").existingSnapshot();
  const held = await queryTable(opened(lake), "p/bronze/steady", "SELECT count(*)::INTEGER AS n FROM t");
  const notes = new Set<string | undefined>();
  const [report] = await load(
    { ...ingestContext(opened(lake), database.url), onProgress: ({ note }) => notes.add(note) },
    pipelineOf("steady"),
    { rangeBytes: RANGE },
  );
  expect(notes).toContain("resumed");
  expect(report?.rows).toBe(15_000 - Number(held[0]?.n));
  const after = await opened(lake).table("p/bronze/steady").existingSnapshot();
  for (const path of before.files.keys()) expect(after.files.has(path)).toBe(true);
  expect(isLoading(after)).toBe(false);
  expect(readPosition(after)).toMatchObject({ mixed: true, snapshot: readPosition(before)?.snapshot });
  await expectEqual(lake, "steady");
  expect((await load(ingestContext(opened(lake), database.url), pipelineOf("steady")))[0]?.status).toBe(
    "skipped",
  );
});

it.each([
  ["was rewritten", "VACUUM FULL tossed_0"],
  ["was emptied", "TRUNCATE tossed_1"],
  ["got another column", "ALTER TABLE tossed_2 ADD more text DEFAULT 'more'"],
])("begins anew where the table %s meanwhile", async (_what, sql) => {
  const table = /tossed_\d/.exec(sql)?.[0] ?? "";
  await fill(table);
  const { lake } = await interrupted(table);
  await database.query(sql);
  const notes: string[] = [];
  const onProgress = ({ note }: { readonly note?: string }) => void notes.push(note ?? "");
  const context = { ...ingestContext(opened(lake), database.url), onProgress };
  const [report] = await load(context, pipelineOf(table), { rangeBytes: RANGE });
  expect(notes.some((note) => note.startsWith("begun anew: it"))).toBe(true);
  expect(report?.rows).toBe(table === "tossed_1" ? 0 : 15_000);
  await expectEqual(lake, table);
  const rows = await queryTable(opened(lake), `p/bronze/${table}`, "SELECT count(*)::INTEGER AS n FROM t");
  expect(rows).toEqual([{ n: report?.rows }]);
  expect(readPosition(await opened(lake).table(`p/bronze/${table}`).existingSnapshot())?.mixed).toBe(false);
});

it("begins anew where that is asked for", async () => {
  await fill("afresh");
  const { lake } = await interrupted("afresh");
  const context = ingestContext(opened(lake), database.url);
  const [report] = await load(context, pipelineOf("afresh"), { rangeBytes: RANGE, resume: false });
  expect(report?.rows).toBe(15_000);
  expect(await queryTable(opened(lake), "p/bronze/afresh", "SELECT count(*)::INTEGER AS n FROM t")).toEqual([
    { n: 15_000 },
  ]);
});

it("does not go on with another database", async () => {
  await fill("moved");
  const { lake } = await interrupted("moved");
  await database.query("CREATE DATABASE other_source TEMPLATE template0");
  const url = new URL(database.url);
  url.pathname = "other_source";
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await client.query("CREATE TABLE moved (id bigint PRIMARY KEY, n integer, pad text)");
  await client.end();
  const failure = load(ingestContext(opened(lake), url.href), pipelineOf("moved"));
  await expect(failure).rejects.toMatchObject({ code: "SOURCE_POSITION_INVALID" });
  await database.query("DROP DATABASE other_source");
});
