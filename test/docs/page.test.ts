import { mkdir, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { describePipeline } from "../../jobs/docs/describe-pipeline.ts";
import { renderPage } from "../../jobs/docs/page.ts";
import { field } from "../../lakehouse/delta/schema.ts";
import { full, merge } from "../../layers/definition/model.ts";
import { type PipelineDefinition, postgres } from "../../layers/definition/pipeline.ts";
import { decimal, defineTable, long, oneOf, text } from "../../schemas/index.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { useFolder } from "../support/folder.ts";
import { newLake } from "../support/lake.ts";
import { writeRows } from "../support/rows.ts";

const duckdb = await useDuckDb();
const folder = useFolder();

const HOSTILE = `</script><img src=x onerror="alert('1')">`;

const orders = defineTable({
  name: "orders",
  description: `Orders ${HOSTILE}`,
  key: ["id"],
  columns: {
    id: long(),
    state: oneOf("open", "paid").describe(HOSTILE),
    total: decimal(12, 2).min("0"),
    note: text()
      .check((s) => s.max(9))
      .nullable()
      .sensitive("mask"),
  },
  checks: { paid_has_total: { sql: "state <> 'paid' OR total > 0", message: "paid for nothing" } },
});
const totals = defineTable({
  name: "totals",
  description: "By state.",
  key: ["state"],
  columns: { state: text(), total: decimal(18, 2), orders: long() },
});

async function shop(): Promise<PipelineDefinition> {
  const root = `${folder.path}/shop-${crypto.randomUUID()}`;
  await mkdir(`${root}/silver`, { recursive: true });
  await mkdir(`${root}/gold`);
  await writeFile(
    `${root}/silver/orders.sql`,
    `SELECT id, state, total, note /* ${HOSTILE} password='hunter2' */ FROM bronze.orders WHERE region = 'eu'`,
  );
  await writeFile(
    `${root}/gold/totals.sql`,
    "SELECT state, sum(total)::DECIMAL(18, 2) AS total, count(*) AS orders FROM silver.orders GROUP BY state",
  );
  return {
    name: "shop",
    folder: pathToFileURL(`${root}/`),
    source: postgres({ tables: { orders: {}, unread: {} } }),
    silver: { orders: merge(orders) },
    gold: { totals: full(totals) },
    publish: [{ model: "totals", title: "Totals" }],
  };
}

it("tells of every table its columns, checks, origins and readers, loaded or not", async () => {
  const { tables } = await describePipeline(newLake(folder.path, duckdb), await shop());
  expect(tables.map(({ name, kind, users }) => [name, kind, users])).toEqual([
    ["bronze.orders", undefined, ["silver.orders"]],
    ["bronze.unread", undefined, []],
    ["silver.orders", "merge", ["gold.totals"]],
    ["gold.totals", "full", []],
  ]);
  const [, , silver, gold] = tables;
  expect(silver).toMatchObject({
    state: undefined,
    lastRun: undefined,
    checks: [{ name: "paid_has_total" }],
  });
  expect(silver?.columns).toMatchObject([
    { name: "id", type: "long", nullable: false, marks: ["key"], checks: [] },
    { name: "state", checks: [expect.stringContaining("'paid'")] },
    { name: "total", type: "decimal(12,2)", checks: [expect.stringMatching(/^total >= /)] },
    { name: "note", nullable: true, marks: ["masked"], checks: [expect.stringContaining("9")] },
  ]);
  expect(silver?.rowsBy).toEqual([{ table: "bronze.orders", column: "region", role: "condition" }]);
  expect(gold?.columns.map(({ from }) => from[0])).toEqual([
    { table: "silver.orders", column: "state", role: "value" },
    { table: "silver.orders", column: "total", role: "value" },
    { table: "silver.orders", column: "*", role: "value" },
  ]);
  expect(gold?.published).toBe("Totals");
});

it("tells what the lake holds", async () => {
  const lake = newLake(folder.path, duckdb);
  await writeRows(
    duckdb,
    lake.table("shop/bronze/orders"),
    "SELECT 1::BIGINT AS id, 'eu' AS region, 'r' AS _ingot_op",
    {
      schema: {
        type: "struct",
        fields: [field("id", "long"), field("region", "string"), field("_ingot_op", "string")],
      },
    },
  );
  const { tables } = await describePipeline(lake, await shop());
  expect(tables[0]).toMatchObject({
    columns: [
      { name: "id", type: "long" },
      { name: "region", type: "string" },
    ],
    state: { rows: 1, version: 0 },
  });
});

it("is one page that loads nothing, has every link's end, and lets no text become markup", async () => {
  const page = renderPage([await describePipeline(newLake(folder.path, duckdb), await shop())], 0);
  expect(page).not.toContain("<img");
  expect(page).not.toContain("hunter2");
  expect(page.match(/<script/g)).toHaveLength(1);
  expect(page).not.toMatch(/https?:\/\//);
  expect(page).not.toMatch(/ style=| on[a-z]+=(?!&quot;)"|src=(?!x)/);
  const ids = new Set([...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]));
  const ends = [...page.matchAll(/href="#([^"]+)"/g)].map((match) => match[1]);
  expect(ends.length).toBeGreaterThan(5);
  // A column that only a model's SQL knows of is on the page too.
  expect(ends.filter((end) => !ids.has(end))).toEqual([]);
  for (const tag of ["article", "section", "table", "svg", "a", "details", "span", "code", "td", "p"]) {
    const count = (pattern: string) => (page.match(new RegExp(pattern, "g")) ?? []).length;
    expect([tag, count(`<${tag}[ >]`)]).toEqual([tag, count(`</${tag}>`)]);
  }
});
