/** What users mean to buy. */
import { defineTable, integer, long, timestamp } from "ingot";
import { products } from "./catalogue.ts";
import { users } from "./people.ts";

export const carts = defineTable({
  name: "carts",
  description: "Carts, ordered and abandoned. A cart is abandoned as long as no order refers to it.",
  key: ["id"],
  columns: {
    id: long(),
    user_id: long().references(() => users, "id"),
    created_at: timestamp(),
    updated_at: timestamp(),
  },
  checks: { created_first: { sql: "created_at <= updated_at" } },
  freshness: { column: "created_at", within: 2880 },
});

export const cartItems = defineTable({
  name: "cart_items",
  description: "Products in carts.",
  key: ["id"],
  columns: {
    id: long(),
    cart_id: long().references(() => carts, "id"),
    product_id: long().references(() => products, "id"),
    quantity: integer().check((n) => n.min(1)),
    created_at: timestamp(),
    updated_at: timestamp(),
  },
  checks: { created_first: { sql: "created_at <= updated_at" } },
});
