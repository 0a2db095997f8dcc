/** What users mean to buy. */
import { integer, long, timestamp } from "../column.ts";
import { defineTable } from "../table.ts";

export const carts = defineTable({
  name: "carts",
  description: "Carts, ordered and abandoned. A cart is abandoned as long as no order refers to it.",
  key: ["id"],
  columns: { id: long(), user_id: long(), created_at: timestamp(), updated_at: timestamp() },
});

export const cartItems = defineTable({
  name: "cart_items",
  description: "Products in carts.",
  key: ["id"],
  columns: {
    id: long(),
    cart_id: long(),
    product_id: long(),
    quantity: integer(),
    created_at: timestamp(),
    updated_at: timestamp(),
  },
});
