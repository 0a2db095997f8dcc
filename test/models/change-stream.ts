/** Changes of the shop's source as fast-check draws them, and the places that they get in its history. */
import fc from "fast-check";
import type { Change, SourceName } from "./shop.ts";

const key = fc.integer({ min: 1, max: 7 });
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
// What comes late and truncations make models anew, and hide what was wrong with increments before: they are rare.
const change = fc.oneof(
  { weight: 80, arbitrary: fc.record({ kind: fc.constant("write" as const), row: rowOf }) },
  { weight: 28, arbitrary: fc.record({ kind: fc.constant("delete" as const), row: rowOf }) },
  { weight: 16, arbitrary: fc.record({ kind: fc.constant("rekey" as const), row: rowOf, to: key }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("late" as const), row: rowOf, by: fc.nat({ max: 30 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("twice" as const), row: rowOf }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("truncate" as const), row: rowOf }) },
);
const commit = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.array(change, { maxLength: 8, size: "max" }).map((changes) => ({ changes, size: 1 })),
  },
  {
    weight: 1,
    arbitrary: fc.array(change, { minLength: 1, maxLength: 2 }).map((changes) => ({ changes, size: 400 })),
  },
);
type Commit = typeof commit extends fc.Arbitrary<infer T> ? T : never;

/** Commits at the source, none and empty ones among them, and a run over them. */
export const round = fc.record({
  commits: fc.oneof(
    { weight: 5, arbitrary: fc.array(commit, { minLength: 1, maxLength: 2, size: "max" }) },
    { weight: 1, arbitrary: fc.constant([]) },
  ),
  /** The run stops at this write of a commit, as if it were killed. */
  fails: fc.option(fc.integer({ min: 0, max: 16 }), { freq: 2 }),
});

const read = (...rows: string[][]): Change[] => rows.map((values) => ({ op: "r", values, lsn: 50, seq: 0 }));
/** What was loaded before the changes. */
export const HISTORY: Readonly<Record<SourceName, readonly Change[]>> = {
  orders: read(
    ...Array.from({ length: 12 }, (_, i) =>
      [i + 1, i % 4 === 3 ? "NULL" : (i % 4) + 1, i % 5, `'${"ab"[i % 2]}'`, i * 5].map(String),
    ),
  ),
  customers: read(["1", "'x'"], ["2", "'y'"], ["3", "NULL"], ["5", "'x'"]),
  regions: read(["'x'", "'north'"], ["'z'", "'a'"]),
};

/** Gives changes their places in the history of the source. */
export class ChangeStream {
  private lsn = 100;

  /** Changes of one commit, by table. */
  take({ changes, size }: Commit): Map<SourceName, Change[]> {
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

  private changesOf(one: Commit["changes"][number], values: readonly string[]): Change[] {
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
