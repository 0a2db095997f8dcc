import { readFile } from "node:fs/promises";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeEach, describe, expect, it } from "vitest";

const instance = await DuckDBInstance.create(":memory:");
let shop: DuckDBConnection;

const SILVER = `
  CREATE SCHEMA silver;
  CREATE TABLE silver.carts (id BIGINT, created_at TIMESTAMPTZ);
  CREATE TABLE silver.orders (id BIGINT, cart_id BIGINT, status VARCHAR, total DECIMAL(12, 2), created_at TIMESTAMPTZ);
  CREATE TABLE silver.order_items (order_id BIGINT, product_id BIGINT, quantity INTEGER, unit_price DECIMAL(12, 2));
  CREATE TABLE silver.products (id BIGINT, name VARCHAR)`;

beforeEach(async () => {
  shop = await instance.connect();
  await shop.run("DROP SCHEMA IF EXISTS gold CASCADE; DROP SCHEMA IF EXISTS silver CASCADE");
  // Far from UTC, so that a model which takes days from the session's zone is found out.
  await shop.run(`SET TimeZone = 'Pacific/Auckland'; ${SILVER}; CREATE SCHEMA gold`);
  for (const group of GROUPS) await shop.run(`CREATE VIEW gold.${group} AS ${await sqlOf(group)}`);
});
afterAll(() => instance.closeSync());

/** Models that others read. */
const GROUPS = ["daily_sales", "daily_conversion", "product_sales"];

const sqlOf = (model: string) => readFile(new URL(`gold/${model}.sql`, import.meta.url), "utf8");

/** Rows of a gold model, every value as JSON. */
async function rowsOf(model: string): Promise<unknown[]> {
  return (await shop.runAndReadAll(await sqlOf(model))).getRowsJson();
}

/** Puts one row a line into a table; columns in the order of the table. */
async function insert(table: string, ...rows: (string | number | null)[][]): Promise<void> {
  const text = (value: string | number | null) => (typeof value === "string" ? `'${value}'` : String(value));
  await shop.run(
    `INSERT INTO silver.${table} VALUES ${rows.map((r) => `(${r.map(text).join(", ")})`).join(", ")}`,
  );
}

describe("abandoned_cart_rate", () => {
  it("is one row without a rate where there are no carts", async () => {
    expect(await rowsOf("abandoned_cart_rate")).toEqual([["0", "0", null]]);
  });

  it("counts carts that no order refers to, whatever became of the order", async () => {
    const at = "2026-05-01 10:00:00Z";
    await insert("carts", [1, at], [2, at], [3, at], [4, at]);
    await insert("orders", [10, 1, "cancelled", 5, at]);
    expect(await rowsOf("abandoned_cart_rate")).toEqual([["4", "3", 0.75]]);
  });
});

describe("top_products_by_quarter", () => {
  it("has no rows where there are no orders", async () => {
    expect(await rowsOf("top_products_by_quarter")).toEqual([]);
  });

  it("takes the four quarters before that of the newest order, to the second", async () => {
    await insert("products", [1, "Lamp"]);
    await insert(
      "orders",
      [1, 1, "paid", 1, "2025-03-31 23:59:59Z"],
      [2, 2, "paid", 1, "2025-04-01 00:00:00Z"],
      [3, 3, "paid", 1, "2025-12-31 23:59:59Z"],
      [4, 4, "paid", 1, "2026-01-01 00:00:00Z"],
      [5, 5, "paid", 1, "2026-03-31 23:59:59Z"],
      // Cancelled, but it shows which quarter goes on.
      [6, 6, "cancelled", 1, "2026-04-01 00:00:00Z"],
    );
    await insert("order_items", ...[1, 2, 3, 4, 5, 6].map((order) => [order, 1, order, 2.5]));
    expect(await rowsOf("top_products_by_quarter")).toEqual([
      ["2025-Q2", "1", "1", "Lamp", "2", "5.00"],
      ["2025-Q4", "1", "1", "Lamp", "3", "7.50"],
      ["2026-Q1", "1", "1", "Lamp", "9", "22.50"],
    ]);
  });

  it("ranks by units, then revenue, then id, and keeps ten", async () => {
    await insert(
      "orders",
      [1, 1, "paid", 1, "2026-02-01 00:00:00Z"],
      [2, 2, "paid", 1, "2026-05-01 00:00:00Z"],
    );
    const items = Array.from({ length: 12 }, (_, i) => [1, 20 - i, 1, 3]);
    await insert("order_items", ...items, [1, 50, 1, 4], [1, 60, 2, 0.01]);
    await insert("products", [60, "Cheap"], [50, "Dear"], [9, "Nine"]);
    const rows = await rowsOf("top_products_by_quarter");
    expect(rows).toHaveLength(10);
    expect(rows.slice(0, 4)).toEqual([
      ["2026-Q1", "1", "60", "Cheap", "2", "0.02"],
      ["2026-Q1", "2", "50", "Dear", "1", "4.00"],
      ["2026-Q1", "3", "9", "Nine", "1", "3.00"],
      ["2026-Q1", "4", "10", null, "1", "3.00"],
    ]);
  });

  it("leaves cancelled and refunded orders out", async () => {
    const at = "2026-02-01 00:00:00Z";
    await insert("orders", [1, 1, "cancelled", 1, at], [2, 2, "refunded", 1, at], [3, 3, "delivered", 1, at]);
    await insert("orders", [4, 4, "paid", 1, "2026-05-01 00:00:00Z"]);
    await insert("order_items", [1, 1, 9, 1], [2, 1, 9, 1], [3, 1, 1, 1]);
    expect(await rowsOf("top_products_by_quarter")).toEqual([["2026-Q1", "1", "1", null, "1", "1.00"]]);
  });
});

describe("daily_sales", () => {
  it("has a day with cancelled orders alone, and no other", async () => {
    await insert(
      "orders",
      [1, 1, "cancelled", 7, "2026-02-27 23:59:59Z"],
      [2, 2, "paid", 100, "2026-03-01 00:00:00Z"],
      [3, 3, "refunded", 50, "2026-03-01 01:00:00Z"],
    );
    expect(await rowsOf("daily_sales")).toEqual([
      ["2026-02-27", "1", "0", "0.00"],
      ["2026-03-01", "2", "1", "100.00"],
    ]);
  });
});

describe("daily_revenue", () => {
  it("has no rows where there are no orders", async () => {
    expect(await rowsOf("daily_revenue")).toEqual([]);
  });

  it("compares calendar days, those without orders too", async () => {
    await insert(
      "orders",
      [1, 1, "paid", 100, "2026-02-27 23:59:59Z"],
      [2, 2, "paid", 100, "2026-02-28 00:00:00Z"],
      [3, 3, "shipped", 33.33, "2026-02-28 12:00:00Z"],
      [4, 4, "refunded", 999, "2026-03-01 12:00:00Z"],
      [5, 5, "paid", 10, "2026-03-02 12:00:00Z"],
      [6, 6, "paid", 5, "2026-03-03 12:00:00Z"],
    );
    expect(await rowsOf("daily_revenue")).toEqual([
      ["2026-02-27", "100.00", "1", null, null],
      ["2026-02-28", "133.33", "2", "100.00", 33.33],
      ["2026-03-01", "0.00", "0", "133.33", -100],
      ["2026-03-02", "10.00", "1", "0.00", null],
      ["2026-03-03", "5.00", "1", "10.00", -50],
    ]);
  });
});

describe("daily_conversion", () => {
  it("has no rows where there are no carts", async () => {
    expect(await rowsOf("daily_conversion")).toEqual([]);
  });

  it("counts an order on the day of its cart, and leaves out days without carts", async () => {
    await insert(
      "carts",
      [1, "2026-01-01 00:00:00Z"],
      [2, "2026-01-01 23:59:59Z"],
      [3, "2026-01-03 00:00:00Z"],
    );
    await insert("orders", [1, 2, "pending", 1, "2026-01-02 00:10:00Z"]);
    expect(await rowsOf("daily_conversion")).toEqual([
      ["2026-01-01", "2", "1", 0.5],
      ["2026-01-03", "1", "0", 0],
    ]);
  });
});
