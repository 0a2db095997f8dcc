/** What is sold. */
import { decimal, long, text, timestamp } from "../column.ts";
import { defineTable } from "../table.ts";

export const categories = defineTable({
  name: "categories",
  description: "Departments of the shop.",
  key: ["id"],
  columns: { id: long(), name: text(), updated_at: timestamp() },
});

export const products = defineTable({
  name: "products",
  description: "Products with their price of today.",
  key: ["id"],
  columns: {
    id: long(),
    category_id: long(),
    name: text(),
    price: decimal(12, 2),
    created_at: timestamp(),
    updated_at: timestamp(),
  },
});
