/** Ranges made again beside live builds, over damaged tables, with kills: every table ends as a rebuild has it. */
import { cp } from "node:fs/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { deleteRows } from "../../lakehouse/delta/change/delete.ts";
import { updateRows } from "../../lakehouse/delta/change/update.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { Lake, type TablePath } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { prepareBackfill } from "../../layers/backfill/backfill.ts";
import type { BackfillRequest } from "../../layers/backfill/subject.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { type Change, type SourceName, shopPipeline, writeChanges } from "../models/shop.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const whole = await shopPipeline(`${folder.path}/pipeline`);
const only = (models: PipelineDefinition["gold"], ...names: string[]) =>
  Object.fromEntries(Object.entries(models ?? {}).filter(([name]) => names.includes(name)));
const pipeline: PipelineDefinition = {
  ...whole,
  silver: only(whole.silver, "orders", "customers"),
  gold: only(whole.gold, "daily", "weekly", "compared", "per_customer", "by_load", "ranking"),
};
const buildAll = (lake: Lake) => build({ lake, concurrency: 2, onProgress: ignoreProgress }, pipeline);

const TIME = { from: "2023-11-13", to: "2026-01-01" };
const NUMBER = { from: "-1000", to: "1000000000" };
/** A range of each model that holds all of its rows, and how its table is damaged. */
const MODELS: Readonly<
  Record<
    string,
    { column: string; all: { from: string; to: string }; others?: string[]; set: Record<string, string> }
  >
> = {
  "silver.orders": {
    column: "id",
    all: NUMBER,
    others: ["placed", "amount"],
    set: { placed: "placed + INTERVAL 9 HOUR", amount: "77" },
  },
  "silver.customers": { column: "id", all: NUMBER, set: { id: "id + 100000" } },
  "gold.daily": {
    column: "day",
    all: TIME,
    others: ["orders"],
    set: { day: "day + 400", total: "0", orders: "orders + 3" },
  },
  "gold.weekly": { column: "week", all: TIME, set: { total: "-5" } },
  "gold.by_load": { column: "month", all: TIME, others: ["load"], set: { ids: "0" } },
  "gold.compared": { column: "day", all: TIME, set: { before: "NULL" } },
  "gold.per_customer": {
    column: "customer",
    all: NUMBER,
    others: ["last"],
    set: { orders: "orders + 7", last: "last + INTERVAL 1 DAY" },
  },
  "gold.ranking": { column: "rank", all: NUMBER, others: ["customer"], set: { rank: "rank + 5000" } },
};
const isTime = (column: string) => ["placed", "day", "week", "month", "last"].includes(column);

const model = fc.constantFrom(...Object.keys(MODELS));
const day = fc.nat({ max: 5 });
const range = fc
  .record({
    model,
    other: fc.nat({ max: 2 }),
    low: day,
    days: fc.integer({ min: 1, max: 4 }),
    chunk: fc.nat({ max: 2 }),
    concurrency: fc.constantFrom(1, 1, 2, 4),
  })
  .map(({ model: name, other, low, days, chunk, concurrency }): BackfillRequest => {
    const { column, others = [] } = MODELS[name] ?? { column: "" };
    const chosen = others[other - 1] ?? column;
    const at = (n: number) => (isTime(chosen) ? `2023-11-${14 + n}` : String(n * 3));
    const size = (isTime(chosen) ? [undefined, "1d", "2d"] : [undefined, "1", "4"])[chunk];
    return {
      model: name,
      column: chosen,
      from: at(low),
      to: at(low + days),
      concurrency,
      ...(size ? { chunk: size } : {}),
    };
  });
const row = fc.record({
  table: fc.constantFrom<SourceName>("orders", "orders", "customers"),
  id: fc.integer({ min: 1, max: 9 }),
  other: fc.integer({ min: 1, max: 5 }),
  hour: fc.nat({ max: 100 }),
  op: fc.constantFrom("u", "u", "u", "d"),
});
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("write" as const), rows: fc.array(row, { maxLength: 4 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("build" as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("damage" as const),
      model,
      modulus: fc.integer({ min: 1, max: 3 }),
      removes: fc.boolean(),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("backfill" as const),
      range,
      // The process dies at this commit, or a rival writes and builds before it.
      fault: fc.option(
        fc.record({ at: fc.nat({ max: 3 }), dies: fc.boolean(), rows: fc.array(row, { maxLength: 3 }) }),
      ),
    }),
  },
);

/** The shop of one run: its lake and the history of its source. */
class Shop {
  readonly lake = newLake(folder.path, duckdb);
  readonly damaged = new Set<string>();
  private lsn = 100;

  async open(): Promise<void> {
    const read = (values: string[]): Change => ({ op: "r", values, lsn: 50, seq: 0 });
    const orders = Array.from({ length: 14 }, (_, i) =>
      [i + 1, (i % 4) + 1, i % 5, `'${"ab"[i % 2]}'`, i * 6].map(String),
    );
    await writeChanges(this.lake, duckdb, "orders", orders.map(read));
    await writeChanges(
      this.lake,
      duckdb,
      "customers",
      [
        ["1", "'x'"],
        ["2", "'y'"],
        ["3", "NULL"],
      ].map(read),
    );
    await writeChanges(this.lake, duckdb, "regions", [["'x'", "'north'"]].map(read));
    await buildAll(this.lake);
  }

  async write(rows: readonly (typeof row extends fc.Arbitrary<infer T> ? T : never)[]): Promise<void> {
    for (const { table, id, other, hour, op } of rows) {
      this.lsn += 10;
      const values =
        table === "orders"
          ? [id, other, other % 3, "'a'", hour].map(String)
          : [String(id), `'${"xyz"[other % 3]}'`];
      const gone = [values[0] ?? "", ...values.slice(1).map(() => "NULL")];
      const change = { op: op as Change["op"], values: op === "d" ? gone : values, lsn: this.lsn, seq: 1 };
      await writeChanges(this.lake, duckdb, table, [change]);
    }
  }

  async damage(name: string, modulus: number, removes: boolean): Promise<void> {
    // Damage that moved keys would be done to the moved ones once more, and they would meet.
    if (this.damaged.has(name)) return;
    this.damaged.add(name);
    const table = this.lake.table(`shop/${name.replace(".", "/")}` as TablePath);
    const { column = "", set = {} } = MODELS[name] ?? {};
    const where = `hash(${column}) % ${modulus} = 0`;
    if (removes) await deleteRows(table, where);
    else await updateRows(table, set, where);
  }

  async backfill(request: BackfillRequest, lake = this.lake): Promise<void> {
    await (await prepareBackfill({ lake, onProgress: ignoreProgress }, pipeline, request)).run();
  }

  /** The lake as a process sees it that meets a fault at its nth commit. */
  faulty({ at, dies, rows }: { at: number; dies: boolean; rows: Parameters<Shop["write"]>[0] }): Lake {
    let commits = 0;
    const meet = async () => {
      const n = commits++;
      if (dies && n >= at) throw new TerminalError("killed", { code: "TEST_KILLED" });
      if (dies || n !== at) return;
      await this.write(rows);
      await buildAll(this.lake);
    };
    return new Lake(
      faultyStore(this.lake.store, ({ method }) => (method === "putIfAbsent" ? { before: meet } : undefined)),
      duckdb,
    );
  }
}

const TABLES = [
  ...Object.keys(pipeline.silver ?? {}).map((name) => `silver/${name}` as const),
  ...Object.keys(pipeline.gold ?? {}).map((name) => `gold/${name}` as const),
];

async function rowsOf(lake: Lake): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const table of TABLES) found[table] = await queryTable(lake, `shop/${table}`, "FROM t ORDER BY ALL");
  return found;
}

async function rebuilt(lake: Lake): Promise<Record<string, unknown>> {
  const other = newLake(folder.path, duckdb);
  await cp(`${lake.store.root}/shop/bronze`, `${other.store.root}/shop/bronze`, { recursive: true });
  await buildAll(other);
  return rowsOf(other);
}

it("leaves every table as its rebuild is, beside live builds and whatever dies", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 8 }), async (steps) => {
      const shop = new Shop();
      await shop.open();
      for (const one of steps) {
        if (one.kind === "write") await shop.write(one.rows);
        if (one.kind === "build") await buildAll(shop.lake);
        if (one.kind === "damage") await shop.damage(one.model, one.modulus, one.removes);
        if (one.kind !== "backfill") continue;
        const lake = one.fault === null ? shop.lake : shop.faulty(one.fault);
        await shop.backfill(one.range, lake).catch((error) => expect(error.code).toBe("TEST_KILLED"));
      }
      for (const name of shop.damaged) {
        const { column = "", all = TIME } = MODELS[name] ?? {};
        await shop.backfill({ model: name, column, ...all });
      }
      await buildAll(shop.lake);
      expect(await rowsOf(shop.lake)).toEqual(await rebuilt(shop.lake));
    }),
    { numRuns: 5 },
  );
}, 300_000);
