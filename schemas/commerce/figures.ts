/** The shop's figures (gold). Days and quarters are those of UTC. */
import { date, decimal, double, long, text } from "../column.ts";
import { defineTable } from "../table.ts";

export const abandonedCartRate = defineTable({
  name: "abandoned_cart_rate",
  description: "One row: how many carts never became an order.",
  columns: {
    carts: long(),
    abandoned: long().describe("carts that no order refers to"),
    rate: double().nullable().describe("abandoned / carts, 0 to 1; null without carts"),
  },
});

export const topProductsByQuarter = defineTable({
  name: "top_products_by_quarter",
  description: "The ten best-selling products of each of the last four complete quarters.",
  key: ["quarter", "rank"],
  columns: {
    quarter: text().describe("for example 2026-Q3"),
    rank: long().describe("1 sold most units; ties go to the higher revenue, then to the lower id"),
    product_id: long(),
    product_name: text().nullable().describe("null while the product itself has not arrived"),
    units: long(),
    revenue: decimal(18, 2),
  },
});

export const dailyRevenue = defineTable({
  name: "daily_revenue",
  description: "Revenue of every calendar day and its change. Cancelled and refunded orders do not count.",
  key: ["day"],
  columns: {
    day: date(),
    revenue: decimal(18, 2),
    orders: long(),
    previous_revenue: decimal(18, 2).nullable().describe("revenue of the calendar day before"),
    growth_percent: double().nullable().describe("null on the first day and after a day without revenue"),
  },
});

export const dailyConversion = defineTable({
  name: "daily_conversion",
  description: "How many of the carts made on a day were ordered, then or later.",
  key: ["day"],
  columns: {
    day: date().describe("day on which the carts were made"),
    carts: long(),
    orders: long(),
    conversion_rate: double().describe("orders / carts, 0 to 1"),
  },
});
