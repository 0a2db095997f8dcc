/** What an audit says of an increment is what it says of the whole table that the increment leaves. */
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import { ignoreProgress } from "../../lakehouse/progress.ts";
import { acceptedValues, notNull, references, unique } from "../../layers/definition/audit.ts";
import { scd2 } from "../../layers/definition/model.ts";
import { type BuildReport, build } from "../../layers/models/build.ts";
import { defineTable, long, timestamp } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import { AUDITED, auditPipeline, changeBronze, columns, itemOf, sqlText, upsert } from "./audit-shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

/** Each audit, and what it counts, said again in other words. */
const AUDITS = [
  { audit: notNull("n"), count: "SELECT count(*) FROM t WHERE n IS NULL" },
  {
    audit: acceptedValues("kind", ["a", "b", "c"]),
    count: "SELECT count(*) FROM t WHERE kind IS NOT NULL AND kind <> 'a' AND kind <> 'b' AND kind <> 'c'",
  },
  {
    audit: unique("email"),
    count: "SELECT count(*) FROM t AS x WHERE (SELECT count(*) FROM t AS y WHERE y.email = x.email) > 1",
  },
  {
    audit: unique("kind", "n"),
    count:
      "SELECT count(*) FROM t AS x WHERE (SELECT count(*) FROM t AS y WHERE y.kind = x.kind AND y.n = x.n) > 1",
  },
  {
    audit: references("kind", "silver.kinds", "kind"),
    count: "SELECT count(*) FROM t WHERE kind IS NOT NULL AND kind NOT IN (FROM known)",
  },
] as const;

const rare = <T>(usual: fc.Arbitrary<T>, seldom: T) =>
  fc.oneof({ weight: 15, arbitrary: usual }, { weight: 1, arbitrary: fc.constant(seldom) });
const itemChange = fc
  .record({
    id: fc.integer({ min: 1, max: 9 }),
    isGone: fc.boolean(),
    kind: rare(fc.constantFrom<string | null>("a", "b", null), "z"),
    n: rare(fc.constant<"id" | null>("id"), null),
    email: rare(fc.constantFrom<"own" | "same" | null>("own", null), "same"),
  })
  .map(({ id, isGone, kind, n, email }) => {
    const values = itemOf(id, {
      kind,
      n: n === "id" ? id : null,
      email: email === "own" ? `e${id}` : email,
    });
    return { op: isGone && id > 5 ? ("d" as const) : ("u" as const), values };
  });
const kindChange = fc
  .record({ kind: fc.constantFrom("a", "b", "c"), isGone: rare(fc.constant(false), true) })
  .map(({ kind, isGone }) => ({
    op: isGone ? ("d" as const) : ("u" as const),
    values: [sqlText(kind), "'x'"],
  }));
const batch = fc.record({
  items: fc.array(itemChange, { maxLength: 3 }),
  kinds: fc.array(kindChange, { maxLength: 1 }),
});

/** Compares what the audits of a model said with its table, and counts what was compared. */
async function compare(lake: Lake, { model, audits }: BuildReport, seen: Record<string, number>) {
  const known = (await queryTable(lake, "shop/silver/kinds", "SELECT kind FROM t")).map((row) =>
    sqlText(row.kind),
  );
  const values =
    known.length === 0 ? "SELECT 'x' WHERE false" : `VALUES ${known.map((k) => `(${k})`).join(", ")}`;
  const path = `shop/${model.replace(".", "/")}` as TablePath;
  for (const { audit, count } of AUDITS) {
    const result = audits.find((found) => found.audit === audit.name);
    const [wrong] = await queryTable(lake, path, `, known AS (${values}) SELECT (${count}) AS rows`);
    const rows = Number(wrong?.rows);
    const wanted = { model, audit: audit.name, failing: rows, status: rows === 0 ? "passed" : "failed" };
    expect({ model, ...result }).toMatchObject(wanted);
    for (const what of [result?.checked ?? "", result?.status ?? ""]) seen[what] = (seen[what] ?? 0) + 1;
  }
}

const history = defineTable({
  name: "history",
  description: "versions of items",
  key: ["id", "valid_from"],
  columns: { ...columns, id: long(), valid_from: timestamp(), valid_to: timestamp().nullable() },
});

it("finds in an increment what it finds in the table", async () => {
  const audits = AUDITS.map(({ audit }) => audit.warn());
  const options = { audits: Object.fromEntries(AUDITED.map((name) => [name, audits])) };
  const tables = await auditPipeline(folder.path, options);
  // A history keeps what items were, so that a value may be there twice and refer to what is gone.
  const contracts = { "silver.appended": scd2(history) };
  const histories = await auditPipeline(folder.path, { ...options, contracts });
  const seen: Record<string, number> = { written: 0, table: 0, passed: 0, failed: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(batch, { minLength: 2, maxLength: 6 }),
      async (isHistory, batches) => {
        const pipeline = isHistory ? histories : tables;
        const lake = newLake(folder.path, duckdb);
        await changeBronze(
          lake,
          duckdb,
          "kinds",
          ["a", "b", "c"].map((k) => upsert([sqlText(k), "'x'"])),
        );
        await changeBronze(
          lake,
          duckdb,
          "items",
          [1, 2, 3, 4, 5].map((id) => upsert(itemOf(id))),
        );
        for (const { items, kinds } of [{ items: [], kinds: [] }, ...batches]) {
          if (kinds.length > 0) await changeBronze(lake, duckdb, "kinds", kinds);
          if (items.length > 0) await changeBronze(lake, duckdb, "items", items);
          const reports = await build({ lake, concurrency: 2, onProgress: ignoreProgress }, pipeline);
          const changed = reports.filter(
            ({ model, status }) => AUDITED.includes(model) && status !== "unchanged",
          );
          for (const report of changed) await compare(lake, report, seen);
        }
      },
    ),
    { numRuns: 6 },
  );
  // The comparison means nothing where only one side was seen.
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(20);
}, 600_000);
