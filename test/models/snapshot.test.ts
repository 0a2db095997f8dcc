/** Images over streams of changes and times: each is what the SQL gave at the last run of its period. */
import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { expect, it } from "vitest";
import { TerminalError } from "../../lakehouse/errors.ts";
import { Lake, type TablePath } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import { aggregate, merge, type SnapshotOptions, snapshot } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { lastImage } from "../../layers/models/snapshot/image-record.ts";
import { periodAt } from "../../layers/models/snapshot/period.ts";
import { date, decimal, defineTable, double, long, text, timestamp } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";
import { queryTable } from "../support/lake.ts";
import { type Item, KEY, keyOf, writeItems } from "./bronze-items.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const HOUR_MS = 3600_000;
const COLUMNS = { [KEY[0]]: decimal(9, 2), [KEY[1]]: date(), name: text(), amount: double().nullable() };
const description = "For a test.";
const SQL = {
  "silver/items": "SELECT * FROM bronze.items WHERE name <> 'skip'",
  "gold/images": "SELECT * FROM silver.items",
  "gold/counts":
    'SELECT "at ""t""" AS at, count(*) AS rows, sum(amount) AS total FROM gold.images GROUP BY 1',
};

async function pipelineOf(options: SnapshotOptions): Promise<PipelineDefinition> {
  const root = `${folder.path}/${crypto.randomUUID()}`;
  for (const [name, sql] of Object.entries(SQL)) {
    await mkdir(`${root}/${name.split("/")[0]}`, { recursive: true });
    await writeFile(`${root}/${name}.sql`, sql);
  }
  const period = options.every === "hour" ? timestamp() : date();
  const images = { ...COLUMNS, 'at "t"': period };
  const counts = { at: period, rows: long(), total: double().nullable() };
  return {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { items: {} } }),
    silver: { items: merge(defineTable({ name: "items", description, key: [...KEY], columns: COLUMNS })) },
    gold: {
      images: snapshot(
        defineTable({ name: "images", description, key: ['at "t"', ...KEY], columns: images }),
        { ...options, column: 'at "t"' },
      ),
      counts: aggregate(defineTable({ name: "counts", description, key: ["at"], columns: counts })),
    },
  };
}

/** A lake and one beside it, with a clock and a process that may be killed. */
class Bench {
  now = Date.parse("2024-03-30T20:10:00Z");
  readonly pipeline: PipelineDefinition;
  readonly options: SnapshotOptions;
  private readonly root = `${folder.path}/${crypto.randomUUID()}`;

  constructor(pipeline: PipelineDefinition, options: SnapshotOptions) {
    this.pipeline = pipeline;
    this.options = options;
  }

  /** `commits`: so many are written before the process is killed. */
  lake(commits = Number.POSITIVE_INFINITY): Lake {
    let left = commits;
    const dies = async () => {
      if (left-- <= 0) throw new TerminalError("killed", { code: "TEST_KILLED" });
    };
    const dying = (store: ObjectStore) =>
      faultyStore(store, ({ method }) => (method === "putIfAbsent" ? { before: dies } : undefined));
    const open = (address: string) => dying(new LocalStore(`${this.root}/${address}`));
    return new Lake(open("lake"), duckdb, { now: () => this.now, open });
  }

  async build(lake: Lake, anew = false): Promise<void> {
    const context = { lake, concurrency: 1, onProgress: ignoreProgress };
    await build({ ...context, anew: anew ? ["gold.images"] : [] }, this.pipeline);
  }

  /** The period of now, as DuckDB has it. */
  async period(): Promise<string> {
    const at = `make_timestamptz(${this.now}000::BIGINT)`;
    const zone = `'${this.options.timeZone ?? "UTC"}'`;
    // Half an hour beside UTC, hours begin with half hours.
    const hour = this.options.timeZone === "Asia/Kolkata" ? "INTERVAL 30 MINUTE" : "INTERVAL 0 MINUTE";
    const sql =
      this.options.every === "hour"
        ? `date_trunc('hour', timezone('UTC', ${at}) + ${hour}) - ${hour}`
        : `CAST(timezone(${zone}, ${at}) AS DATE)`;
    const [row] = await duckdb.rows(`SELECT (${sql})::VARCHAR AS period`);
    return String(row?.period);
  }

  /** Images by period, of the model's table or of the cold one. */
  async images(where: "gold" | "cold"): Promise<Map<string, string[]>> {
    const own = this.lake();
    const isElsewhere = where === "cold" && this.options.cold?.lake !== undefined;
    const lake = isElsewhere ? await own.other(this.options.cold?.lake ?? "") : own;
    const path: TablePath = `shop/${where}/images`;
    const found = new Map<string, string[]>();
    if ((await lake.table(path).snapshot()) === undefined) return found;
    const period = this.options.every === "hour" ? `timezone('UTC', "at ""t""")` : `"at ""t"""`;
    const rows = await queryTable(
      lake,
      path,
      `SELECT ${period}::VARCHAR AS period, concat_ws(' ', "a""b", "order", name, coalesce(amount::VARCHAR, '-')) AS row
         FROM t ORDER BY ALL`,
    );
    for (const { period, row } of rows)
      found.set(String(period), [...(found.get(String(period)) ?? []), String(row)]);
    return found;
  }
}

const one = fc.record({
  id: fc.nat({ max: 4 }),
  item: fc.option(
    fc.record({ name: fc.constantFrom("x", "y", "skip"), amount: fc.constantFrom(null, 0.5, 7) }),
    { freq: 3 },
  ),
});
const step = fc.record({
  passed: fc.constantFrom(0, 0, 1, 1, 5, 23, 24, 25, 73, -1),
  changes: fc.array(one, { maxLength: 3 }),
  fails: fc.option(fc.nat({ max: 7 }), { freq: 3 }),
  anew: fc.constantFrom(false, false, false, true),
});
const options = fc
  .record({
    every: fc.constantFrom<"day" | "hour">("day", "hour"),
    dayZone: fc.constantFrom("UTC", "Europe/Berlin", "America/Los_Angeles", "Asia/Kolkata"),
    hourZone: fc.constantFrom("UTC", "Asia/Kolkata"),
    cold: fc.option(fc.record({ afterDays: fc.integer({ min: 1, max: 3 }), isElsewhere: fc.boolean() }), {
      freq: 4,
    }),
  })
  .map(({ every, dayZone, hourZone, cold }): SnapshotOptions => {
    const timeZone = every === "day" ? dayZone : hourZone;
    if (cold === null) return { every, timeZone };
    const { afterDays, isElsewhere } = cold;
    return { every, timeZone, cold: isElsewhere ? { afterDays, lake: "archive" } : { afterDays } };
  });

/** The rows that the source has, as an image shows them. */
class Source {
  private readonly rows = new Map<number, Item>();
  private lsn = 100;

  async write(lake: Lake, changes: readonly { readonly id: number; readonly item: Item | null }[]) {
    const taken = changes.map(({ id, item }) => {
      this.lsn += 10;
      if (item === null) this.rows.delete(id);
      else this.rows.set(id, item);
      const [op, values] =
        item === null ? (["d", { name: null, amount: null }] as const) : (["u", item] as const);
      return { op, id, item: values, lsn: this.lsn, seq: 1, us: this.lsn };
    });
    await writeItems(lake, duckdb, taken);
  }

  image(): string[] {
    return [...this.rows]
      .filter(([, { name }]) => name !== "skip")
      .map(([id, { name, amount }]) => [...keyOf(id), name, amount?.toFixed(1) ?? "-"].join(" "))
      .sort();
  }
}

const sorted = (images: ReadonlyMap<string, readonly string[]>) =>
  [...images].filter(([, rows]) => rows.length > 0).sort(([a], [b]) => (a < b ? -1 : 1));

const isNewest = (images: ReadonlyMap<string, readonly string[]>, period: string) =>
  [...images.keys()].every((other) => other <= period);

/** Runs, and says which images there are after it. Where the run was killed, the one of its period may be the former. */
async function runStep(
  bench: Bench,
  { fails, anew }: { readonly fails: number | null; readonly anew: boolean },
  image: string[],
  expected: Map<string, string[]>,
): Promise<void> {
  const isKilled = await bench.build(bench.lake(fails ?? undefined), anew).then(
    () => false,
    (error) => {
      expect(error.cause?.code ?? error.code).toBe("TEST_KILLED");
      return true;
    },
  );
  const period = await bench.period();
  if (!isNewest(expected, period)) return;
  const made = isKilled ? ((await bench.images("gold")).get(period) ?? []) : image;
  expect([image, expected.get(period) ?? []]).toContainEqual(made);
  // An image without rows is one too, if the run came as far as to take it.
  const table = await bench.lake().table("shop/gold/images").snapshot();
  if (table && lastImage(table) === periodAt(bench.now, bench.options)) expected.set(period, made);
}

it("keeps of every period the image of its last run, once, wherever runs stop", async () => {
  await fc.assert(
    fc.asyncProperty(options, fc.array(step, { minLength: 1, maxLength: 8 }), async (chosen, steps) => {
      const bench = new Bench(await pipelineOf(chosen), chosen);
      const source = new Source();
      const expected = new Map<string, string[]>();
      let newest = bench.now;
      await source.write(bench.lake(), []);
      for (const { passed, changes, ...run } of steps) {
        // A clock that goes back is a little behind the newest time, not behind itself time and again.
        newest = Math.max(newest, newest + passed * HOUR_MS);
        bench.now = passed < 0 ? newest + passed * HOUR_MS : newest;
        await source.write(bench.lake(), changes);
        await runStep(bench, run, source.image(), expected);
        // Who reads in this order misses no image, and finds one twice only where a run was killed as it moved it.
        const [hot, cold] = [await bench.images("gold"), await bench.images("cold")];
        expect(sorted(new Map([...cold, ...hot]))).toEqual(sorted(expected));
        for (const [period, rows] of cold) expect(hot.get(period) ?? rows).toEqual(rows);
        if (run.fails !== null) continue;
        expect([...cold.keys()].filter((period) => hot.has(period))).toEqual([]);
        await checkDownstream(bench, hot);
      }
    }),
    { numRuns: 15 },
  );
}, 300_000);

async function checkDownstream(bench: Bench, hot: ReadonlyMap<string, readonly string[]>): Promise<void> {
  const rows = await queryTable(bench.lake(), "shop/gold/counts", 'SELECT "rows" FROM t ORDER BY "at"');
  expect(rows.map(({ rows }) => Number(rows))).toEqual(sorted(hot).map(([, rows]) => rows.length));
}
