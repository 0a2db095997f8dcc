import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { load } from "../../layers/bronze/ingest.ts";
import type { Leaf } from "../../layers/bronze/load/extent.ts";
import { doneBlocks, isComplete, type LoadState, withRange } from "../../layers/bronze/load/load-state.ts";
import { RangeSize } from "../../layers/bronze/load/range-size.ts";
import { type Blocks, joined, type Range, Unread } from "../../layers/bronze/load/ranges.ts";
import { postgres } from "../../layers/definition/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { ingestContext, newLake, queryTable } from "../support/lake.ts";
import { useDatabase } from "../support/postgres.ts";

const BLOCK = 8192;

const anyLeaf = (id: number): fc.Arbitrary<Leaf> =>
  fc.record({
    id: fc.constant(String(id)),
    schema: fc.constant("public"),
    name: fc.constant(`t${id}`),
    file: fc.constant(String(id)),
    blocks: fc.nat({ max: 300 }),
    bytes: fc.nat({ max: 300 * BLOCK }),
    divisible: fc.boolean(),
  });
const anyLeaves = fc
  .nat({ max: 100 })
  .chain((n) => fc.tuple(...Array.from({ length: n }, (_, i) => anyLeaf(i))));

describe("ranges", () => {
  it("cover every block once, whatever their sizes, and wherever a load was interrupted", () => {
    fc.assert(
      fc.property(
        anyLeaves,
        fc.infiniteStream(fc.integer({ min: 1, max: 400 * BLOCK })),
        fc.nat(50),
        (leaves, sizes, stop) => {
          let state: LoadState = {};
          const read: Range[] = [];
          const readUpTo = (unread: Unread, most: number) => {
            for (let n = 0; n < most; n++) {
              const range = unread.take(sizes.next().value ?? 1);
              if (range === undefined) return;
              expect(range.parts.length).toBeLessThanOrEqual(64);
              state = withRange(state, range);
              read.push(range);
            }
          };
          readUpTo(new Unread(leaves), stop);
          readUpTo(
            new Unread(leaves, doneBlocks(JSON.parse(JSON.stringify(state)))),
            Number.POSITIVE_INFINITY,
          );
          expect(isComplete(state, leaves)).toBe(true);
          for (const leaf of leaves) {
            const own = read.flatMap((range) => range.parts).filter((part) => part.leaf.id === leaf.id);
            const sorted = own.map((part) => part.blocks).sort((a, b) => a[0] - b[0]);
            expect(sorted.map(([from]) => from)).toEqual([0, ...sorted.slice(0, -1).map(([, to]) => to)]);
            expect(sorted.at(-1)?.[1]).toBeNull();
            if (!leaf.divisible) expect(sorted).toEqual([[0, null]]);
          }
        },
      ),
    );
  });

  it("that are given back are given out again", () => {
    fc.assert(
      fc.property(anyLeaves, fc.array(fc.boolean(), { maxLength: 50 }), (leaves, fails) => {
        const unread = new Unread(leaves);
        let state: LoadState = {};
        for (let n = 0; ; n++) {
          const range = unread.take(20 * BLOCK);
          if (range === undefined) break;
          if (fails[n]) unread.giveBack(range);
          else state = withRange(state, range);
        }
        expect(isComplete(state, leaves)).toBe(true);
      }),
    );
  });

  it("join to the same blocks in whatever order they come", () => {
    const blocks: fc.Arbitrary<Blocks> = fc
      .tuple(fc.nat(30), fc.option(fc.nat(30)))
      .map(([from, more]) => [from, more === null ? null : from + more]);
    const holds = (list: readonly Blocks[], n: number) =>
      list.some(([from, to]) => n >= from && (to === null || n < to));
    fc.assert(
      fc.property(fc.array(blocks), (list) => {
        const result = joined(list);
        for (let n = 0; n < 70; n++) expect(holds(result, n)).toBe(holds(list, n));
        for (const [i, [, to]] of result.entries())
          expect(i === result.length - 1 || (to ?? 99) < (result[i + 1]?.[0] ?? 99)).toBe(true);
      }),
    );
  });
});

describe("the size of ranges", () => {
  it("is what was asked for where statements may take their time", () => {
    const size = new RangeSize(1000, undefined);
    size.measured(10, 1_000_000);
    expect(size.next()).toBe(1000);
  });

  it("fits into the time of a statement at the rate that was measured, and shrinks where it did not", () => {
    const size = new RangeSize(1e9, 10);
    expect(size.next()).toBeLessThanOrEqual(40e6);
    for (let n = 0; n < 50; n++) size.measured(100e6, 1000);
    expect(size.next()).toBeGreaterThan(300e6);
    expect(size.next()).toBeLessThan(1e9);
    size.measured(1e6, 1000);
    expect(size.next()).toBe(4e6);
    size.tooLong(4e6);
    expect(size.next()).toBeLessThan(1e6);
  });
});

describe("a table that is read in ranges", async () => {
  const duckdb = await useDuckDb();
  const folder = useFolder();
  const database = useDatabase();

  it("holds what it holds when it is read at once", async () => {
    await database.query("CREATE TABLE facts (id bigint PRIMARY KEY, note text, big text)");
    await database.query("ALTER TABLE facts ALTER big SET STORAGE EXTERNAL");
    await database.query(
      "INSERT INTO facts SELECT g, repeat('x', g % 500), CASE WHEN g % 100 = 0 THEN repeat('y', 9000) END FROM generate_series(1, 6000) g",
    );
    // Holes, and rows that have moved.
    await database.query("DELETE FROM facts WHERE id % 7 = 0");
    await database.query("UPDATE facts SET note = note || 'z' WHERE id % 5 = 0");
    await database.query("ANALYZE facts");
    const digest =
      "count(*)::int AS n, sum(length(note))::int AS notes, md5(string_agg(id || coalesce(note, '') || coalesce(big, '-'), ',' ORDER BY id)) AS md5";
    const [source] = await database.query(`SELECT ${digest} FROM facts`);
    const pipeline = { name: "p", source: postgres({ tables: { facts: {} } }) };
    await fc.assert(
      fc.asyncProperty(
        fc.noShrink(fc.integer({ min: 10 * BLOCK, max: 200 * BLOCK })),
        fc.integer({ min: 1, max: 4 }),
        async (rangeBytes, concurrency) => {
          const lake = newLake(folder.path, duckdb);
          const [report] = await load({ ...ingestContext(lake, database.url), concurrency }, pipeline, {
            rangeBytes,
          });
          expect(report).toMatchObject({ status: "committed", rows: source?.n });
          expect(
            await queryTable(
              lake,
              "p/bronze/facts",
              `SELECT ${digest.replaceAll("::int", "::INTEGER")} FROM t`,
            ),
          ).toEqual([source]);
          expect((await load(ingestContext(lake, database.url), pipeline))[0]?.status).toBe("skipped");
        },
      ),
      { numRuns: 8 },
    );
  });
});
