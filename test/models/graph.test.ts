/** Models of every kind over streams of changes: what is kept equals what is made from nothing. */
import { cp } from "node:fs/promises";
import fc from "fast-check";
import { expect, it } from "vitest";
import { TerminalError } from "../../lakehouse/errors.ts";
import { Lake } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { build } from "../../layers/models/build.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { faultyStore } from "../support/faulty-store.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { type Change, MODEL_TABLES, type SourceName, shopPipeline, writeChanges } from "./shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();
const pipeline = await shopPipeline(`${folder.path}/pipeline`);

const buildAll = (lake: Lake, definition: PipelineDefinition = pipeline) =>
  build({ lake, concurrency: 2, onProgress: ignoreProgress }, definition);

const key = fc.integer({ min: 1, max: 9 });
const quoted = (...values: string[]) => fc.constantFrom(...values.map((value) => `'${value}'`), "NULL");
const order = fc
  .tuple(
    key,
    fc.option(key),
    fc.option(fc.integer({ min: -2, max: 5 })),
    fc.constantFrom("a", "b", "void", "skip"),
    fc.nat({ max: 100 }),
  )
  .map(([id, customer, amount, status, hour]) =>
    [id, customer ?? "NULL", amount ?? "NULL", `'${status}'`, hour].map(String),
  );
const customer = fc.tuple(key, quoted("x", "y", "z")).map(([id, region]) => [String(id), region]);
const region = fc.tuple(fc.constantFrom("'x'", "'y'", "'z'"), quoted("a", "north", "x")).map((r) => [...r]);

const rowOf = fc.oneof(
  { weight: 4, arbitrary: order.map((values) => ({ source: "orders" as const, values })) },
  { weight: 2, arbitrary: customer.map((values) => ({ source: "customers" as const, values })) },
  { weight: 1, arbitrary: region.map((values) => ({ source: "regions" as const, values })) },
);
const change = fc.oneof(
  { weight: 16, arbitrary: fc.record({ kind: fc.constant("write" as const), row: rowOf }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("delete" as const), row: rowOf }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("rekey" as const), row: rowOf, to: key }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("late" as const), row: rowOf, by: fc.nat({ max: 30 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("twice" as const), row: rowOf }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("truncate" as const), row: rowOf }) },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.array(change, { maxLength: 6 }).map((changes) => ({ changes, size: 1 })) },
  {
    weight: 1,
    arbitrary: fc.array(change, { minLength: 1, maxLength: 2 }).map((changes) => ({ changes, size: 400 })),
  },
);
const round = fc.record({
  steps: fc.array(step, { maxLength: 3 }),
  // The run stops at this commit, as if it were killed.
  fails: fc.option(fc.integer({ min: 0, max: 16 }), { freq: 3 }),
});

type Round = typeof round extends fc.Arbitrary<infer T> ? T : never;
type Step = Round["steps"][number];

/** What was loaded before the changes. */
const read = (...rows: string[][]): Change[] => rows.map((values) => ({ op: "r", values, lsn: 50, seq: 0 }));
const HISTORY: Readonly<Record<SourceName, Change[]>> = {
  orders: read(
    ...Array.from({ length: 12 }, (_, i) =>
      [i + 1, i % 4 === 3 ? "NULL" : (i % 4) + 1, i % 5, `'${"ab"[i % 2]}'`, i * 5].map(String),
    ),
  ),
  customers: read(["1", "'x'"], ["2", "'y'"], ["3", "NULL"], ["5", "'x'"]),
  regions: read(["'x'", "'north'"], ["'z'", "'a'"]),
};

/** Gives changes their places in the history of the source. */
class Source {
  private lsn = 100;

  /** Changes of one commit, by table. */
  take({ changes, size }: Step): Map<SourceName, Change[]> {
    const taken = new Map<SourceName, Change[]>([["orders", []]]);
    for (let i = 0; i < size; i++) {
      for (const one of changes) {
        const { source, values } = one.row;
        const list = taken.get(source) ?? [];
        taken.set(source, list);
        list.push(...this.changesOf(one, size === 1 ? values : spread(values, i)));
      }
    }
    return taken;
  }

  private changesOf(one: Step["changes"][number], values: readonly string[]): Change[] {
    this.lsn += 10;
    const { lsn } = this;
    const gone = [values[0] ?? "", ...values.slice(1).map(() => "NULL")];
    switch (one.kind) {
      case "write":
        return [{ op: "u", values, lsn, seq: 1 }];
      case "delete":
        return [{ op: "d", values: gone, lsn, seq: 1 }];
      case "rekey": {
        const to = one.row.source === "regions" ? `'${"xyz"[one.to % 3]}'` : String(one.to);
        return [
          { op: "d", values: gone, lsn, seq: 1 },
          { op: "u", values: [to, ...values.slice(1)], lsn, seq: 2 },
        ];
      }
      case "late":
        // No two changes have one place.
        return [{ op: "u", values, lsn: Math.max(1, lsn - one.by * 10 - 5), seq: lsn }];
      case "twice":
        return [
          { op: "u", values, lsn, seq: 1 },
          { op: "u", values, lsn, seq: 1 },
        ];
      case "truncate":
        return [{ op: "t", values: values.map(() => "NULL"), lsn, seq: 1 }];
    }
  }
}

/** Rows of a large commit: keys far and wide. */
const spread = ([first = "", ...rest]: readonly string[], i: number) =>
  first.startsWith("'") ? [first, ...rest] : [String(Number(first) + i * 7), ...rest];

/** The lake in a process that is killed before it writes its nth commit. */
function dyingLake(lake: Lake, commits: number): Lake {
  let left = commits;
  const dies = async () => {
    if (left-- <= 0) throw new TerminalError("killed", { code: "TEST_KILLED" });
  };
  const store = faultyStore(lake.store, ({ method }) =>
    method === "putIfAbsent" ? { before: dies } : undefined,
  );
  return new Lake(store, duckdb);
}

async function rowsOf(lake: Lake): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {};
  for (const table of MODEL_TABLES)
    found[table] = await queryTable(lake, `shop/${table}`, "FROM t ORDER BY ALL");
  return found;
}

async function write(lake: Lake, taken: ReadonlyMap<SourceName, readonly Change[]>): Promise<void> {
  for (const [source, changes] of taken) await writeChanges(lake, duckdb, source, changes);
}

/** The same models over the same bronze, made from nothing. */
async function rebuilt(lake: Lake): Promise<Record<string, unknown>> {
  const other = newLake(folder.path, duckdb);
  await cp(`${lake.store.root}/shop/bronze`, `${other.store.root}/shop/bronze`, { recursive: true });
  await buildAll(other);
  return rowsOf(other);
}

it("keeps every model equal to its rebuild, whatever changes and wherever a run stops", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 4 }), async (rounds) => {
      const lake = newLake(folder.path, duckdb);
      const source = new Source();
      for (const [name, rows] of Object.entries(HISTORY))
        await writeChanges(lake, duckdb, name as SourceName, rows);
      await buildAll(lake);
      for (const { steps, fails } of rounds) {
        for (const taken of steps) await write(lake, source.take(taken));
        if (fails === null) await buildAll(lake);
        else
          await buildAll(dyingLake(lake, fails)).catch((error) =>
            expect(error.cause?.code ?? error.code).toBe("TEST_KILLED"),
          );
      }
      await buildAll(lake);
      expect(await rowsOf(lake)).toEqual(await rebuilt(lake));
    }),
    { numRuns: 20 },
  );
}, 300_000);
