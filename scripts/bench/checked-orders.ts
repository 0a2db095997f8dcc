/** The table of the contract benchmark: twelve columns, twenty rules, rows that keep them. */
import { z } from "zod";
import {
  date,
  decimal,
  defineTable,
  double,
  integer,
  long,
  oneOf,
  text,
  timestamp,
} from "../../schemas/index.ts";

export const checkedOrders = defineTable({
  name: "checked_orders",
  description: "Orders as a shop has them.",
  key: ["id"],
  columns: {
    id: long(),
    user_id: long(),
    email: text().check(() => z.email()),
    country: text().check((code) => code.regex(/^[A-Z]{2}$/)),
    status: oneOf("pending", "paid", "shipped", "delivered", "cancelled", "refunded"),
    quantity: integer()
      .check((n) => n.min(1).max(1000))
      .nullable(),
    unit_price: decimal(12, 2).min("0").nullable(),
    discount: double()
      .check((n) => n.min(0).max(1))
      .nullable(),
    sku: text()
      .check((code) => code.startsWith("SKU-").length(10))
      .nullable(),
    note: text()
      .check((note) => note.max(200))
      .nullable(),
    day: date().nullable(),
    created_at: timestamp().nullable(),
  },
  checks: { priced: { sql: "quantity IS NULL OR unit_price IS NOT NULL" } },
});

/** SQL of so many rows. */
export function checkedOrdersSql(rows: number): string {
  // Values without order, as orders have them: what is regular would be packed to nothing.
  const random = (salt: number, bound: number) => `(hash(i, ${salt}) % ${bound})::BIGINT`;
  return `
    SELECT i + 1 AS id, ${random(1, 200_000)} AS user_id,
      'user.' || ${random(2, 1_000_000)} || '@example.com' AS email,
      chr((65 + ${random(3, 26)})::INTEGER) || chr((65 + ${random(4, 26)})::INTEGER) AS country,
      ['pending', 'paid', 'shipped', 'delivered', 'cancelled', 'refunded'][1 + ${random(5, 6)}] AS status,
      (1 + ${random(6, 12)})::INTEGER AS quantity, (${random(7, 1_000_000)} / 100)::DECIMAL(12,2) AS unit_price,
      ${random(8, 1000)} / 1000 AS discount, 'SKU-' || lpad(${random(9, 100_000)}::VARCHAR, 6, '0') AS sku,
      CASE WHEN i % 3 > 0 THEN 'leave it with neighbour ' || ${random(10, 1000)} END AS note,
      DATE '2025-01-01' + ${random(11, 500)}::INTEGER AS day,
      make_timestamptz(1735689600000000 + ${random(12, 40_000_000_000_000)}) AS created_at
    FROM range(${rows}) t(i)`;
}
