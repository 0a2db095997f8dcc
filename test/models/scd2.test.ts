/** Histories over streams of changes: they are what the changes say one by one, and what a rebuild makes. */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { expect, it } from "vitest";
import { identifiers } from "../../lakehouse/duckdb/quote.ts";
import type { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { META } from "../../layers/definition/bronze-columns.ts";
import { aggregate, scd2 } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { heldRows } from "../../layers/models/quarantine/read-quarantine.ts";
import { date, decimal, defineTable, double, long, text, timestamp } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { brokenOf, historyOf, type Item, type ItemChange, KEY, keyOf, writeItems } from "./bronze-items.ts";
import { dyingLake } from "./dying-lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const columns = {
  valid_to: timestamp().nullable(),
  // Decided in JavaScript.
  amount: double()
    .check((n) => n.refine((value) => value !== 2.5))
    .nullable(),
  [KEY[1]]: date(),
  name: text().check((t) => t.max(4)),
  [KEY[0]]: decimal(9, 2),
  valid_from: timestamp(),
};
const items = defineTable({
  name: "items",
  description: "Items as they were.",
  key: [KEY[1], KEY[0], "valid_from"],
  columns,
});
const daily = defineTable({
  name: "versions",
  description: "Versions by name.",
  key: ["name"],
  columns: { name: text(), versions: long(), open: long() },
});
const SQL = `SELECT * REPLACE (amount + 0.0 AS amount)
  FROM (SELECT * EXCLUDE (amount), amount FROM bronze.items AS i WHERE name <> 'skip') ORDER BY 1`;

async function pipelineOf(root: string): Promise<PipelineDefinition> {
  await mkdir(`${root}/silver`, { recursive: true });
  await mkdir(`${root}/gold`, { recursive: true });
  await writeFile(`${root}/silver/items.sql`, SQL);
  await writeFile(
    `${root}/gold/versions.sql`,
    "SELECT name, count(*) AS versions, count(*) FILTER (WHERE valid_to IS NULL) AS open FROM silver.items GROUP BY name",
  );
  return {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { items: {} } }),
    silver: { items: scd2(items) },
    gold: { versions: aggregate(daily) },
  };
}
const pipeline = await pipelineOf(`${folder.path}/pipeline`);
const buildAll = (lake: Lake) => build({ lake, concurrency: 2, onProgress: ignoreProgress }, pipeline);

const item = fc.record({
  name: fc.constantFrom("x", "y", "x", "y", "skip", "too long", null),
  amount: fc.constantFrom(null, 0, 1.5, 2.5),
});
const breaks = ({ name, amount }: Item) => name === "too long" || amount === 2.5;
const one = fc.record({
  op: fc.constantFrom<ItemChange["op"]>("u", "u", "u", "i", "d"),
  id: fc.nat({ max: 5 }),
  item,
});
const KINDS = ["late", "read", "truncate", "again", "many", ...Array<"write">(7).fill("write")] as const;
const transaction = fc.record({
  kind: fc.constantFrom(...KINDS),
  changes: fc.array(one, { minLength: 1, maxLength: 4 }),
  // Since the one before, in microseconds: clocks stand still and go back.
  passed: fc.oneof(fc.constantFrom(0, 1, -5), fc.integer({ min: -300, max: 300 })),
  by: fc.nat({ max: 12 }),
  // The last changes come with the next commit of bronze.
  torn: fc.constantFrom(true, false, false),
});
const round = fc.record({
  commits: fc.array(fc.array(transaction, { maxLength: 3 }), { maxLength: 3 }),
  fails: fc.option(fc.integer({ min: 0, max: 4 }), { freq: 3 }),
});
type Transaction = typeof transaction extends fc.Arbitrary<infer T> ? T : never;

/** Gives transactions their places in the source's history, and commits to bronze their rows. */
class Source {
  readonly written: ItemChange[] = [];
  private lsn = 100_000;
  private us = 1_700_000_000_000_000;
  private late = 0;
  private torn: ItemChange[] = [];

  take(transactions: readonly Transaction[]): ItemChange[] {
    const taken = [...this.torn];
    this.torn = [];
    for (const each of transactions) {
      const rows = this.rowsOf(each);
      const kept = each.torn ? rows.splice(1) : [];
      taken.push(...rows);
      this.torn.push(...kept);
    }
    this.written.push(...taken);
    return taken;
  }

  private rowsOf({ kind, changes, passed, by }: Transaction): ItemChange[] {
    this.lsn += 1000;
    this.us += passed;
    const [lsn, us] = [this.lsn, this.us];
    const rows = changes.map((change, i): ItemChange => ({ ...change, lsn, us, seq: i + 1 }));
    const first = rows[0];
    if (first === undefined) return [];
    switch (kind) {
      case "late":
        // No two of one place.
        this.late += 1;
        return rows.map((row) => ({ ...row, lsn: lsn - by * 1000 - this.late }));
      case "read": {
        const read = new Map(rows.map((row): [number, ItemChange] => [row.id, { ...row, op: "r", seq: 0 }]));
        // The snapshot ends where the next transaction commits.
        return [...read.values(), ...(by > 8 ? rows.slice(-1) : [])];
      }
      case "truncate":
        return [{ ...first, op: "t" }, ...rows.slice(1)];
      case "again":
        return [...rows, ...this.written.slice(-1)];
      case "many":
        return Array.from({ length: 300 }, (_, i) => ({ ...first, id: i % 16, seq: i + 1 }));
      case "write":
        return rows;
    }
  }
}

const COLUMNS = `${identifiers(KEY)}, name, amount, epoch_us(valid_from) AS f, epoch_us(valid_to) AS t`;

async function found(lake: Lake): Promise<string[]> {
  const rows = await queryTable(lake, "shop/silver/items", `SELECT ${COLUMNS} FROM t`);
  return rows.map((row) => JSON.stringify(Object.values(row).map(String))).sort();
}

const expected = (changes: readonly ItemChange[]): string[] =>
  historyOf(changes, breaks)
    .map(({ id, name, amount, from, to }) =>
      JSON.stringify([...keyOf(id), name, amount, from, to].map(String)),
    )
    .sort();

/** What is held: key and place of each change. */
async function held(lake: Lake): Promise<string[]> {
  if (!(await lake.tables("shop")).includes("shop/quarantine/items")) return [];
  const rows = await heldRows(lake, "shop", "items", 100_000);
  return rows.map(({ key }) => JSON.stringify(key)).sort();
}

const expectedHeld = (changes: readonly ItemChange[]): string[] =>
  brokenOf(changes, breaks)
    .map(({ id, op, lsn, seq }) => {
      const [amount, day] = keyOf(id);
      const place = { [META.operation]: op, [META.lsn]: String(lsn), [META.sequence]: String(seq) };
      return JSON.stringify({ [KEY[0]]: amount, [KEY[1]]: day, ...place });
    })
    .sort();

async function rebuilt(lake: Lake): Promise<Lake> {
  const other = newLake(folder.path, duckdb);
  await cp(`${lake.store.root}/shop/bronze`, `${other.store.root}/shop/bronze`, { recursive: true });
  await buildAll(other);
  return other;
}

it("keeps the history that the changes make one by one, wherever a run stops", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 5 }), async (rounds) => {
      const lake = newLake(folder.path, duckdb);
      const source = new Source();
      await writeItems(lake, duckdb, source.take([]));
      for (const { commits, fails } of rounds) {
        for (const transactions of commits) await writeItems(lake, duckdb, source.take(transactions));
        if (fails === null) {
          await buildAll(lake);
          expect(await found(lake)).toEqual(expected(source.written));
          expect(await held(lake)).toEqual(expectedHeld(source.written));
        } else
          await buildAll(dyingLake(lake, fails)).catch((error) => expect(error.code).toBe("TEST_KILLED"));
      }
      await buildAll(lake);
      expect(await found(lake)).toEqual(expected(source.written));
      const other = await rebuilt(lake);
      expect(await found(lake)).toEqual(await found(other));
      expect(await held(lake)).toEqual(expectedHeld(source.written));
      expect(await held(other)).toEqual(expectedHeld(source.written));
      const downstream = (of: Lake) => queryTable(of, "shop/gold/versions", "FROM t ORDER BY ALL");
      expect(await downstream(lake)).toEqual(await downstream(other));
    }),
    { numRuns: 10 },
  );
}, 300_000);
