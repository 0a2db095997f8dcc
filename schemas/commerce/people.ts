/** Who buys, and what they do. */
import { defineTable, long, oneOf, text, timestamp } from "ingot";
import { z } from "zod";
import { products } from "./catalogue.ts";

export const users = defineTable({
  name: "users",
  description: "People with an account.",
  key: ["id"],
  columns: {
    id: long().describe("never used again"),
    email: text()
      .check(() => z.email())
      .unique()
      .sensitive("hash")
      .describe("names the account"),
    full_name: text()
      .check((name) => name.min(1))
      .sensitive("mask"),
    country: text()
      .check((code) => code.regex(/^[A-Z]{2}$/))
      .describe("ISO 3166 code of two letters"),
    created_at: timestamp().describe("sign-up"),
    updated_at: timestamp(),
  },
  checks: { signed_up_first: { sql: "created_at <= updated_at", message: "changed before the sign-up" } },
});

export const userActions = defineTable({
  name: "user_actions",
  description:
    "What users did in the shop. Actions are kept for a limited time, and longer than the carts they name.",
  key: ["id"],
  columns: {
    id: long(),
    user_id: long().references(() => users, "id"),
    action: oneOf("login", "create_cart", "add_product", "checkout"),
    cart_id: long().nullable().describe("absent for a login; the cart may have been deleted since"),
    product_id: long()
      .references(() => products, "id")
      .nullable()
      .describe("only for add_product"),
    occurred_at: timestamp(),
    updated_at: timestamp(),
  },
  checks: {
    cart_of_action: {
      sql: "(action = 'login') = (cart_id IS NULL)",
      message: "every action but a login is about a cart",
    },
    product_of_action: {
      sql: "(action = 'add_product') = (product_id IS NOT NULL)",
      message: "add_product, and nothing else, is about a product",
    },
  },
  freshness: { column: "occurred_at", within: 2880 },
});
