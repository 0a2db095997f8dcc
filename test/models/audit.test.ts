/** Audits of models on their bounds; what a failed one leaves behind; what is seen by whom. */
import { readdir } from "node:fs/promises";
import { expect, it } from "vitest";
import { IngotError } from "../../lakehouse/errors.ts";
import { Lake, type TablePath } from "../../lakehouse/lake.ts";
import {
  type AuditDefinition,
  acceptedValues,
  freshness,
  notNull,
  references,
  rowCount,
  sql,
  unique,
} from "../../layers/definition/audit.ts";
import { merge } from "../../layers/definition/model.ts";
import { build, buildModels } from "../../layers/models/build.ts";
import { date, defineTable, long } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake, queryTable } from "../support/lake.ts";
import {
  AUDITED,
  auditBench,
  auditPipeline,
  changeBronze,
  columns,
  itemOf,
  kind,
  sqlText,
} from "./audit-shop.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const { settings, lakeAt, buildAll, withAudits, items, kinds } = auditBench(duckdb, folder);

/** Files of a table's folder, without its log. */
async function filesOf(lake: Lake, path: TablePath): Promise<string[]> {
  const entries = await readdir(`${lake.store.root}/${path}`, { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  const files = entries.filter((entry) => entry.isFile() && !entry.parentPath.includes("_delta_log"));
  return files.map(({ parentPath, name }) => `${parentPath}/${name}`).sort();
}

/** What an audit of `silver.merged` says of these items. */
async function resultOf(audit: AuditDefinition, ...rows: (readonly string[])[]) {
  const lake = lakeAt();
  await kinds(lake, "a", "b");
  await items(lake, ...rows);
  const pipeline = await withAudits("silver.merged", { ...audit, severity: "warn" });
  const reports = await buildAll(lake, pipeline);
  return reports.find(({ model }) => model === "silver.merged")?.audits[0];
}

const day = (text: string) => `2026-01-${text}+00`;

it.each<[string, AuditDefinition, (readonly string[])[], number]>([
  ["values", notNull("n"), [itemOf(1)], 0],
  ["a NULL", notNull("n"), [itemOf(1), itemOf(2, { n: null })], 1],
  [
    "accepted values and NULL",
    acceptedValues("kind", ["a", "it's"]),
    [itemOf(1), itemOf(2, { kind: null })],
    0,
  ],
  ["another value", acceptedValues("kind", ["a"]), [itemOf(1), itemOf(2, { kind: "A" })], 1],
  ["accepted numbers", acceptedValues("n", [1, 2n]), [itemOf(1), itemOf(2)], 0],
  ["another number", acceptedValues("n", [1]), [itemOf(1), itemOf(2)], 1],
  ["different values", unique("email"), [itemOf(1), itemOf(2)], 0],
  ["NULL twice", unique("email"), [itemOf(1, { email: null }), itemOf(2, { email: null })], 0],
  ["a value twice", unique("email"), [itemOf(1), itemOf(2, { email: "e1" }), itemOf(3)], 2],
  ["pairs that differ", unique("kind", "n"), [itemOf(1), itemOf(2)], 0],
  ["a pair twice", unique("kind", "n"), [itemOf(1, { n: 7 }), itemOf(2, { n: 7 })], 2],
  ["known values", references("kind", "silver.kinds", "kind"), [itemOf(1), itemOf(2, { kind: null })], 0],
  ["an unknown value", references("kind", "silver.kinds", "kind"), [itemOf(1), itemOf(2, { kind: "z" })], 1],
  ["values of its own", references("n", "silver.merged", "id"), [itemOf(1), itemOf(2, { n: 1 })], 0],
  ["a value not its own", references("n", "silver.merged", "id"), [itemOf(1, { n: 3 })], 1],
  ["enough rows", rowCount({ min: 2, max: 2 }), [itemOf(1), itemOf(2)], 0],
  ["too few rows", rowCount({ min: 2 }), [itemOf(1)], 1],
  ["too many rows", rowCount({ max: 1 }), [itemOf(1), itemOf(2)], 1],
  [
    "a row just new enough",
    freshness({ column: "seen", within: 60 }),
    [itemOf(1, { seen: day("01 23:00:00") })],
    0,
  ],
  [
    "a row a moment too old",
    freshness({ column: "seen", within: 60 }),
    [itemOf(1, { seen: day("01 22:59:59.999999") })],
    1,
  ],
  ["no time at all", freshness({ column: "seen", within: 60 }), [itemOf(1, { seen: null })], 0],
  ["no wrong rows", sql("n is id", "SELECT * FROM silver.merged WHERE n <> id;"), [itemOf(1)], 0],
  [
    "wrong rows",
    sql("n is id", "SELECT * FROM silver.merged WHERE n <> id -- all"),
    [itemOf(1, { n: 2 })],
    1,
  ],
  [
    "a query of other tables",
    sql("kinds are used", "FROM silver.kinds ANTI JOIN silver.merged USING (kind)"),
    [itemOf(1)],
    1,
  ],
])("finds in %s by %o", async (_, audit, rows, failing) => {
  expect(await resultOf(audit, ...rows)).toMatchObject({
    audit: audit.name,
    severity: "warn",
    status: failing === 0 ? "passed" : "failed",
    failing,
    checked: "table",
  });
});

it("counts rows against what the table had", async () => {
  const pipeline = await withAudits("silver.merged", rowCount({ changeAtMost: 0.5 }));
  const lake = lakeAt();
  await kinds(lake);
  await items(lake, ...[1, 2, 3, 4].map((id) => itemOf(id)));
  await buildAll(lake, pipeline);
  await items(lake, itemOf(5), itemOf(6));
  await buildAll(lake, pipeline);
  await items(lake, ...[7, 8, 9, 10].map((id) => itemOf(id)));
  await expect(buildAll(lake, pipeline)).rejects.toMatchObject({
    code: "AUDIT_FAILED",
    message: expect.stringContaining("10 rows, 6 before"),
  });
});

it("asks how old days are in UTC, by statistics or by rows", async () => {
  const days = defineTable({
    name: "days",
    description: "days",
    key: ["id"],
    columns: { id: long(), on: date().nullable() },
  });
  const pipeline = async (within: number) =>
    auditPipeline(folder.path, {
      contracts: { "silver.merged": merge(days) },
      audits: { "silver.merged": [freshness({ column: "on", within }).warn()] },
      sql: {
        "silver/merged": 'SELECT id, CAST(seen AS DATE) AS "on" FROM bronze.items',
        "silver/appended": "SELECT id, kind, n, email, seen FROM bronze.items",
        "gold/grouped":
          "SELECT id, NULL::VARCHAR AS kind, 1 AS n, '' AS email, max(\"on\")::TIMESTAMPTZ AS seen FROM silver.merged GROUP BY id",
        "gold/listed": "SELECT id, kind, n, email, seen FROM gold.grouped",
        "gold/loose": "SELECT id, kind, n, email, seen FROM gold.grouped",
      },
    });
  for (const [within, status] of [
    [1440, "passed"],
    [1439, "failed"],
  ] as const) {
    const lake = lakeAt();
    await kinds(lake);
    await items(lake, itemOf(1, { seen: day("01 12:00:00") }), itemOf(2));
    const found = await buildAll(lake, await pipeline(within));
    expect(found.flatMap(({ audits }) => audits)).toMatchObject([{ status }]);
    // A file with deleted rows has statistics of rows that are gone.
    await changeBronze(lake, duckdb, "items", [{ op: "d", values: itemOf(2) }]);
    const again = await buildAll(lake, await pipeline(within));
    expect(again.flatMap(({ audits }) => audits)).toMatchObject([{ status }]);
  }
});

it.each(AUDITED)(
  "commits nothing of %s where an audit fails, new or increment, and goes on when it is right",
  async (model) => {
    const pipeline = await withAudits(model, unique("n"));
    const path = `shop/${model.replace(".", "/")}` as TablePath;
    const lake = lakeAt();
    await kinds(lake, "a");
    await items(lake, itemOf(1, { n: 1 }), itemOf(2, { n: 1 }));
    const failed = { code: "AUDIT_FAILED", value: '{"n":1}', allowed: "each n once" };
    await expect(buildAll(lake, pipeline)).rejects.toMatchObject(failed);
    expect(await lake.table(path).snapshot()).toBeUndefined();
    expect(await filesOf(lake, path)).toEqual([]);

    // What came is kept where it was appended; a table that starts over has it right.
    const other = lakeAt();
    await kinds(other, "a");
    await items(other, itemOf(1), itemOf(2));
    await buildAll(other, pipeline);
    const [before, files] = [await other.table(path).existingSnapshot(), await filesOf(other, path)];
    await items(other, itemOf(1, { kind: "b" }), itemOf(3, { n: 2 }));
    await expect(buildAll(other, pipeline)).rejects.toMatchObject({ code: "AUDIT_FAILED" });
    expect((await other.table(path).existingSnapshot()).version).toBe(before.version);
    expect(await filesOf(other, path)).toEqual(files);
    if (model === "silver.appended") return;
    await items(other, itemOf(3));
    const reports = await buildAll(other, pipeline);
    expect(reports.find((report) => report.model === model)).toMatchObject({
      version: before.version + 1,
      audits: [{ status: "passed" }],
    });
    expect(await queryTable(other, path, "SELECT id, kind FROM t ORDER BY id")).toEqual([
      { id: 1n, kind: "b" },
      { id: 2n, kind: "a" },
      { id: 3n, kind: "a" },
    ]);
  },
);

it("commits what only warns, and looks at the whole table again after it", async () => {
  const pipeline = await withAudits("silver.merged", unique("email").warn());
  const lake = lakeAt();
  await kinds(lake);
  await items(lake, itemOf(1), itemOf(2, { email: "e1" }));
  const audits = async () =>
    (await buildAll(lake, pipeline)).find(({ model }) => model === "silver.merged")?.audits;
  expect(await audits()).toMatchObject([{ status: "failed", failing: 2, severity: "warn" }]);
  await items(lake, itemOf(3));
  expect(await audits()).toMatchObject([{ status: "failed", failing: 2, checked: "table" }]);
  await items(lake, itemOf(2));
  expect(await audits()).toMatchObject([{ status: "passed", checked: "table" }]);
  await items(lake, itemOf(4));
  expect(await audits()).toMatchObject([{ status: "passed", checked: "written" }]);
  // A table that was made anew has no rest that was looked at before.
  const anew = await build({ ...settings(lake), anew: ["silver.merged"] }, pipeline);
  expect(anew.find(({ model }) => model === "silver.merged")?.audits).toMatchObject([{ checked: "table" }]);
});

it("takes the audits that the contract amounts to, and lets the pipeline say how severe they are", async () => {
  const contract = defineTable({
    name: "item",
    description: "items",
    key: ["id"],
    columns: {
      ...columns,
      id: long(),
      kind: columns.kind.references(() => kind, "kind"),
      n: columns.n.unique(),
    },
    freshness: { column: "seen", within: 1 },
  });
  const of = (definition: ReturnType<typeof merge>) =>
    auditPipeline(folder.path, { contracts: { "silver.merged": definition } });
  const lake = lakeAt();
  await kinds(lake, "a");
  await items(lake, itemOf(1), itemOf(2, { kind: "z" }));
  const reports = await buildAll(lake, await of(merge(contract)));
  expect(reports.find(({ model }) => model === "silver.merged")?.audits).toMatchObject([
    { audit: "unique(n)", severity: "error", status: "passed" },
    { audit: "references(kind, silver.kinds.kind)", severity: "warn", status: "failed", failing: 1 },
    { audit: "freshness(seen)", severity: "warn", status: "failed" },
  ]);
  const strict = merge(contract, {
    audits: [references("kind", "silver.kinds", "kind"), unique("n").warn()],
  });
  await items(lake, itemOf(3));
  await expect(buildAll(lake, await of(strict))).rejects.toMatchObject({
    code: "AUDIT_FAILED",
    allowed: "values of kind that silver.kinds.kind has",
  });
});

it("notices that the table which is referred to lost a row, with the next rows", async () => {
  const pipeline = await withAudits("gold.listed", references("kind", "silver.kinds", "kind"));
  const lake = lakeAt();
  await kinds(lake, "a", "b");
  await items(lake, itemOf(1), itemOf(2, { kind: "b" }));
  await buildAll(lake, pipeline);
  await changeBronze(lake, duckdb, "kinds", [{ op: "d", values: [sqlText("b"), "'x'"] }]);
  await items(lake, itemOf(3));
  await expect(buildAll(lake, pipeline)).rejects.toMatchObject({
    code: "AUDIT_FAILED",
    value: '{"id":2,"kind":"b","n":2,"seen":"2026-01-01 00:00:00+00"}',
  });
});

it("says of a table that is not there that it cannot tell", async () => {
  const audit = references("kind", "silver.kinds", "kind");
  for (const [severity, wanted] of [
    ["warn", { status: "skipped", detail: "silver.kinds is not there yet" }],
    ["error", { status: "failed", detail: "silver.kinds is not there yet" }],
  ] as const) {
    const lake = lakeAt();
    await items(lake, itemOf(1));
    const pipeline = await withAudits("silver.merged", { ...audit, severity });
    const outcome = await buildModels({ ...settings(lake), select: ["silver.merged"] }, pipeline);
    const [{ audits } = { audits: [] }] = [...outcome.reports, ...outcome.failures];
    expect(audits).toMatchObject([wanted]);
  }
});

it("shows no sensitive value: not of a column, not of a query that may have read one", async () => {
  const lake = lakeAt();
  await kinds(lake);
  await items(lake, itemOf(1, { email: "secret@example.org", n: 0 }));
  const emails = sql("emails", "SELECT email AS kind FROM silver.merged");
  const cast = sql("cast", "FROM silver.merged WHERE email::INTEGER > 0");
  const pipeline = await withAudits(
    "silver.merged",
    notNull("email"),
    acceptedValues("n", [1]),
    emails,
    cast,
  );
  const error: unknown = await buildAll(lake, pipeline).catch((thrown: unknown) => thrown);
  const text = error instanceof IngotError ? JSON.stringify([error.message, error.value, error.allowed]) : "";
  expect(text).toContain("cannot be checked: Conversion Error");
  expect(text).toContain("emails: 1 row");
  expect(text).not.toContain("secret");
});

/** A lake in which something happens once a build has seen what it builds on. */
class WatchedLake extends Lake {
  private readonly happening: () => Promise<void>;
  private isOver = false;

  constructor(lake: Lake, happening: () => Promise<void>) {
    super(lake.store, lake.duckdb);
    this.happening = happening;
  }

  override table(path: TablePath) {
    const table = super.table(path);
    if (path !== "shop/gold/listed") return table;
    const look = table.snapshot.bind(table);
    return Object.assign(table, {
      snapshot: async (version?: number) => {
        const seen = await look(version);
        if (!this.isOver) {
          this.isOver = true;
          await this.happening();
        }
        return seen;
      },
    });
  }
}

it("leaves the quarantine as it was where the table fails an audit", async () => {
  const contract = defineTable({
    name: "item",
    description: "items",
    key: ["id"],
    columns: { ...columns, id: long(), n: long().check((n) => n.min(0n)) },
  });
  const pipeline = await auditPipeline(folder.path, {
    contracts: { "silver.merged": merge(contract, { quarantine: { stopAtRate: 1 } }) },
    audits: { "silver.merged": [unique("email")] },
  });
  const lake = lakeAt();
  const state = async () => {
    const held = await queryTable(lake, "shop/quarantine/merged", "SELECT key FROM t ORDER BY key");
    const there = await queryTable(lake, "shop/silver/merged", "SELECT id FROM t ORDER BY id");
    return { held: held.map(({ key }) => key), there: there.map(({ id }) => id) };
  };
  await kinds(lake);
  await items(lake, itemOf(1), itemOf(2), itemOf(3, { n: -1 }));
  await buildAll(lake, pipeline);
  const before = { held: ['{"id":"3"}'], there: [1n, 2n] };
  expect(await state()).toEqual(before);
  // A row that breaks the contract, one that keeps it now, one that fails the audit.
  await items(lake, itemOf(1, { n: -1 }), itemOf(3), itemOf(4, { email: "e2" }));
  for (const anew of [[], ["silver.merged"]]) {
    await expect(build({ ...settings(lake), anew }, pipeline)).rejects.toMatchObject({
      code: "AUDIT_FAILED",
    });
    expect(await state()).toEqual(before);
  }
  await items(lake, itemOf(4));
  await buildAll(lake, pipeline);
  expect(await state()).toEqual({ held: ['{"id":"1"}'], there: [2n, 3n, 4n] });
});

it("takes a failed audit for a lost race where a rival built the table meanwhile", async () => {
  const lake = newLake(folder.path, duckdb);
  const pipeline = await withAudits("gold.listed", unique("email"));
  await kinds(lake);
  await items(lake, itemOf(1));
  await buildAll(lake, pipeline);
  await items(lake, itemOf(2, { email: "e1" }));
  const again = () => new Lake(lake.store, duckdb);
  const rival = await auditPipeline(folder.path);
  const slow = new WatchedLake(lake, async () => {
    await build({ ...settings(again()), select: ["silver.merged", "gold.listed"] }, rival);
  });
  const select = ["gold.listed"];
  await expect(build({ ...settings(slow), select }, pipeline)).rejects.toMatchObject({
    code: "MODEL_RACE_LOST",
  });
  expect(await queryTable(again(), "shop/gold/listed", "SELECT count(*) AS rows FROM t")).toEqual([
    { rows: 2n },
  ]);
  // Nobody else is there to blame any more.
  await expect(build({ ...settings(again()), select }, pipeline)).rejects.toMatchObject({
    code: "AUDIT_FAILED",
  });
});
