/** What was sold (gold), in groups from which the figures are made. Days and quarters are those of UTC. */
import { date, decimal, defineTable, long } from "ingot";

export const dailySales = defineTable({
  name: "daily_sales",
  description: "Orders and revenue of each day on which there were orders.",
  key: ["day"],
  columns: {
    day: date(),
    placed: long()
      .check((n) => n.min(1n))
      .describe("orders, whatever became of them"),
    orders: long()
      .check((n) => n.min(0n))
      .describe("without cancelled and refunded ones"),
    revenue: decimal(18, 2).min("0").describe("euros"),
  },
  checks: { part_of_all: { sql: "orders <= placed" } },
});

export const productSales = defineTable({
  name: "product_sales",
  description: "What was sold of each product in each quarter. Cancelled and refunded orders do not count.",
  key: ["quarter_start", "product_id"],
  columns: {
    quarter_start: date().describe("first day of the quarter"),
    product_id: long(),
    units: long().check((n) => n.min(1n)),
    revenue: decimal(18, 2).min("0").describe("euros"),
  },
});
