/** What users bought. */
import { decimal, defineTable, integer, long, oneOf, timestamp } from "ingot";
import { carts } from "./carts.ts";
import { products } from "./catalogue.ts";
import { users } from "./people.ts";

export const orders = defineTable({
  name: "orders",
  description: "Orders, one of a cart at most.",
  key: ["id"],
  columns: {
    id: long(),
    cart_id: long()
      .references(() => carts, "id")
      .unique(),
    user_id: long().references(() => users, "id"),
    status: oneOf("pending", "paid", "shipped", "delivered", "cancelled", "refunded").default("pending"),
    total: decimal(12, 2).min("0").describe("euros; sum of quantity * unit_price of its items"),
    created_at: timestamp().describe("checkout"),
    updated_at: timestamp().describe("when the status last changed"),
  },
  checks: { created_first: { sql: "created_at <= updated_at" } },
  freshness: { column: "created_at", within: 2880 },
});

export const orderItems = defineTable({
  name: "order_items",
  description: "Products in orders, at the price they were sold for.",
  key: ["id"],
  columns: {
    id: long(),
    order_id: long().references(() => orders, "id"),
    product_id: long().references(() => products, "id"),
    quantity: integer().check((n) => n.min(1)),
    unit_price: decimal(12, 2).gt("0").describe("euros, at the time of the order"),
    updated_at: timestamp(),
  },
});
