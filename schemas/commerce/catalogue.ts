/** What is sold. */
import { decimal, defineTable, long, text, timestamp } from "ingot";

export const categories = defineTable({
  name: "categories",
  description: "Departments of the shop.",
  key: ["id"],
  columns: {
    id: long(),
    name: text()
      .check((name) => name.min(1))
      .unique(),
    updated_at: timestamp(),
  },
});

export const products = defineTable({
  name: "products",
  description: "Products with their price of today.",
  key: ["id"],
  columns: {
    id: long(),
    category_id: long().references(() => categories, "id"),
    name: text().check((name) => name.min(1)),
    price: decimal(12, 2).gt("0").describe("euros; what was paid is in order_items"),
    created_at: timestamp(),
    updated_at: timestamp().describe("when the price last changed"),
  },
  checks: { created_first: { sql: "created_at <= updated_at" } },
});
