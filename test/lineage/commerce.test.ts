import { beforeAll, expect, it } from "vitest";
import { ROWS } from "../../layers/lineage/origin.ts";
import { type PipelineLineage, readLineage } from "../../layers/lineage/pipeline-lineage.ts";
import { type TraceNode, traceDownstream, traceUpstream } from "../../layers/lineage/trace.ts";
import { readModels } from "../../layers/models/model.ts";
import type { Model } from "../../layers/models/planned-model.ts";
import { commerce } from "../../pipelines/commerce/pipeline.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { type ColumnMaker, changedColumns } from "./changed-columns.ts";

const duckdb = await useDuckDb();
let models: readonly Model[] = [];
let lineage: PipelineLineage;

beforeAll(async () => {
  models = await readModels(duckdb, commerce);
  lineage = await readLineage(duckdb, models);
});

/** SQL of a value of a Delta type, few of each so that rows meet in joins and groups. */
function maker(type: unknown): ColumnMaker {
  const hash = (seed: string, range: number) => `(hash(i, ${seed}) % ${range})::BIGINT`;
  const name = typeof type === "string" ? type : "nested";
  if (/^(long|integer|short|byte|float|double)$/.test(name)) return (seed) => hash(seed, 20);
  if (name.startsWith("decimal")) return (seed) => `(${hash(seed, 1000)} / 10)::${name}`;
  if (name === "timestamp")
    return (seed) => `'2025-01-01 00:00:00+00'::TIMESTAMPTZ + to_days(${hash(seed, 500)}::INT)`;
  if (name === "date") return (seed) => `'2025-01-01'::DATE + ${hash(seed, 500)}::INT`;
  if (name === "boolean") return (seed) => `${hash(seed, 2)} = 0`;
  const words = ["paid", "pending", "cancelled", "refunded", "login", "checkout"].map((word) => `'${word}'`);
  return (seed) => `[${words}][${hash(seed, words.length)} + 1]`;
}

it("finds every name in the models of the shop", () => {
  expect([...lineage.models.values()].flatMap((model) => model.unresolved)).toEqual([]);
  for (const { model, columns } of lineage.models.values()) {
    for (const [column, origins] of columns) expect(origins, `${model}.${column}`).not.toEqual([]);
  }
});

it("misses no column of an input that another value of it shows in", async () => {
  for (const model of models.filter(({ layer }) => layer === "gold")) {
    const tables = Object.fromEntries(
      models
        .filter(({ name }) => model.references.includes(name))
        .map(({ name, contract }): [string, Record<string, ColumnMaker>] => [
          name,
          Object.fromEntries(
            Object.entries(contract.columns).map(([key, column]) => [key, maker(column.type)]),
          ),
        ]),
    );
    const own = lineage.models.get(model.name);
    for (const { table, column, changed } of await changedColumns(duckdb, tables, model.sql, 60)) {
      const of = (name: string) => [...(own?.columns.get(name) ?? []), ...(own?.rows ?? [])];
      const missed = changed.filter(
        (name) => !of(name).some((o) => o.table === table && o.column === column),
      );
      expect(missed, `${model.name} of ${table}.${column}`).toEqual([]);
    }
  }
});

const leaves = (node: TraceNode): string[] =>
  node.repeated
    ? []
    : node.next.length === 0
      ? [`${node.role} ${node.table}.${node.column}`]
      : node.next.flatMap(leaves);

it("traces a figure back to bronze, values apart from conditions", () => {
  const found = leaves(traceUpstream(lineage, "gold.daily_revenue", "revenue"));
  expect(found).toContain("value bronze.orders.total");
  expect(found).toContain("condition bronze.orders.status");
  expect(found).not.toContain("value bronze.orders.status");
  expect(found.every((leaf) => leaf.includes(" bronze."))).toBe(true);
});

it("traces a column of bronze on to the figures that it goes into", () => {
  const all = (node: TraceNode): TraceNode[] => [node, ...node.next.flatMap(all)];
  const total = all(traceDownstream(lineage, "bronze.orders", "total"));
  expect(total).toContainEqual(
    expect.objectContaining({ table: "gold.daily_revenue", column: "revenue", role: "value" }),
  );
  const status = all(traceDownstream(lineage, "bronze.orders", "status"));
  expect(status.filter(({ table }) => table.startsWith("gold.")).map(({ role }) => role)).not.toContain(
    "value",
  );
  expect(status.some(({ column }) => column === ROWS)).toBe(true);
});

it("expands each node once, as value or as condition", () => {
  const open = new Set<string>();
  const visit = (node: TraceNode) => {
    const key = `${node.role} ${node.table} ${node.column}`;
    if (node.next.length > 0) {
      expect(open.has(key)).toBe(false);
      open.add(key);
    }
    node.next.forEach(visit);
  };
  visit(traceUpstream(lineage, "gold.top_products_by_quarter", "rank"));
});
