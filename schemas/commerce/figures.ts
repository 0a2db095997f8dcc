/** The shop's figures (gold). Days and quarters are those of UTC. */
import { date, decimal, defineTable, double, long, text } from "ingot";

export const abandonedCartRate = defineTable({
  name: "abandoned_cart_rate",
  description: "One row: how many carts never became an order.",
  columns: {
    carts: long().check((n) => n.min(0n)),
    abandoned: long()
      .check((n) => n.min(0n))
      .describe("carts that no order refers to"),
    rate: double()
      .check((n) => n.min(0).max(1))
      .nullable()
      .describe("abandoned / carts, 0 to 1; null without carts"),
  },
  checks: { part_of_all: { sql: "abandoned <= carts" } },
});

export const topProductsByQuarter = defineTable({
  name: "top_products_by_quarter",
  description: "The ten best-selling products of each of the last four complete quarters.",
  key: ["quarter", "rank"],
  columns: {
    quarter: text()
      .check((name) => name.regex(/^\d{4}-Q[1-4]$/))
      .describe("for example 2026-Q3"),
    rank: long()
      .check((n) => n.min(1n).max(10n))
      .describe("1 sold most units; ties go to the higher revenue, then to the lower id"),
    product_id: long(),
    product_name: text().nullable().describe("null while the product itself has not arrived"),
    units: long().check((n) => n.min(1n)),
    revenue: decimal(18, 2).min("0").describe("euros"),
  },
});

export const dailyRevenue = defineTable({
  name: "daily_revenue",
  description: "Revenue of every calendar day and its change. Cancelled and refunded orders do not count.",
  key: ["day"],
  columns: {
    day: date(),
    revenue: decimal(18, 2).min("0").describe("euros"),
    orders: long().check((n) => n.min(0n)),
    previous_revenue: decimal(18, 2).min("0").nullable().describe("revenue of the calendar day before"),
    growth_percent: double()
      .check((n) => n.min(-100))
      .nullable()
      .describe("null on the first day and after a day without revenue"),
  },
});

export const dailyConversion = defineTable({
  name: "daily_conversion",
  description: "How many of the carts made on a day were ordered, then or later.",
  key: ["day"],
  columns: {
    day: date().describe("day on which the carts were made"),
    carts: long().check((n) => n.min(1n)),
    orders: long().check((n) => n.min(0n)),
    conversion_rate: double()
      .check((n) => n.min(0).max(1))
      .describe("orders / carts, 0 to 1"),
  },
  checks: { part_of_all: { sql: "orders <= carts" } },
});
