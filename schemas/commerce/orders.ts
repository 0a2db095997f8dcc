/** What users bought. */
import { decimal, integer, long, text, timestamp } from "../column.ts";
import { defineTable } from "../table.ts";

export const orders = defineTable({
  name: "orders",
  description: "Orders, one of a cart at most.",
  key: ["id"],
  columns: {
    id: long(),
    cart_id: long(),
    user_id: long(),
    status: text().describe("pending, paid, shipped, delivered, cancelled or refunded"),
    total: decimal(12, 2).describe("sum of quantity * unit_price of its items"),
    created_at: timestamp(),
    updated_at: timestamp(),
  },
});

export const orderItems = defineTable({
  name: "order_items",
  description: "Products in orders, at the price they were sold for.",
  key: ["id"],
  columns: {
    id: long(),
    order_id: long(),
    product_id: long(),
    quantity: integer(),
    unit_price: decimal(12, 2),
    updated_at: timestamp(),
  },
});
