/** Who buys, and what they do. */
import { long, text, timestamp } from "../column.ts";
import { defineTable } from "../table.ts";

export const users = defineTable({
  name: "users",
  description: "People with an account.",
  key: ["id"],
  columns: {
    id: long(),
    email: text(),
    full_name: text(),
    country: text().describe("ISO 3166 code of two letters"),
    created_at: timestamp(),
    updated_at: timestamp(),
  },
});

export const userActions = defineTable({
  name: "user_actions",
  description:
    "What users did in the shop. Actions are kept for a limited time, and longer than the carts they name.",
  key: ["id"],
  columns: {
    id: long(),
    user_id: long(),
    action: text().describe("login, create_cart, add_product or checkout"),
    cart_id: long().nullable().describe("absent for a login; the cart may have been deleted since"),
    product_id: long().nullable().describe("only for add_product"),
    occurred_at: timestamp(),
    updated_at: timestamp(),
  },
});
