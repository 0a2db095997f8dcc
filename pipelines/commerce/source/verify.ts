/** Says whether the filled tables fit together. The references themselves are held by Postgres. */
import { TerminalError } from "ingot";
import type { ClientBase } from "pg";
import { ACTIONS_KEPT } from "./rows.ts";

/** Each finds rows that must not be there. */
const CHECKS: readonly (readonly [what: string, sql: string])[] = [
  [
    "orders whose total is not the sum of their items",
    `SELECT count(*) FROM public.orders o
     LEFT JOIN (SELECT order_id, sum(quantity * unit_price) AS total FROM public.order_items GROUP BY 1) i
       ON i.order_id = o.id
     WHERE o.total IS DISTINCT FROM i.total`,
  ],
  [
    "orders of another user than their cart's, or from before it",
    `SELECT count(*) FROM public.orders o JOIN public.carts c ON c.id = o.cart_id
     WHERE o.user_id <> c.user_id OR o.created_at < c.created_at`,
  ],
  [
    "carts from before their user signed up",
    `SELECT count(*) FROM public.carts c JOIN public.users u ON u.id = c.user_id
     WHERE c.created_at < u.created_at`,
  ],
  [
    "ordered products that are not in the cart",
    `SELECT abs((SELECT count(*) FROM public.cart_items i JOIN public.orders o USING (cart_id))
                - (SELECT count(*) FROM public.order_items))`,
  ],
  [
    `carts and orders of the last ${ACTIONS_KEPT} days without their action`,
    `SELECT abs((SELECT count(*) FROM public.carts WHERE created_at >= kept.from) - sum(creates))
          + abs((SELECT count(*) FROM public.carts c JOIN public.orders o ON o.cart_id = c.id
                 WHERE c.created_at >= kept.from) - sum(checkouts))
     FROM (SELECT $1::timestamptz - interval '${ACTIONS_KEPT} days' AS from) AS kept,
          (SELECT count(*) FILTER (WHERE action = 'create_cart') AS creates,
                  count(*) FILTER (WHERE action = 'checkout') AS checkouts FROM public.user_actions) AS a
     GROUP BY kept.from`,
  ],
  [
    "rows from the future",
    `SELECT (SELECT count(*) FROM public.orders WHERE greatest(created_at, updated_at) >= $1)
          + (SELECT count(*) FROM public.carts WHERE greatest(created_at, updated_at) >= $1)`,
  ],
];

/**
 * Throws unless every table holds what was sent to it and the tables agree with each other.
 * @param filledTo first instant that the history does not cover
 */
export async function verifyFill(
  client: ClientBase,
  sent: Readonly<Record<string, number>>,
  filledTo: Date,
): Promise<void> {
  const problems: string[] = [];
  for (const [table, rows] of Object.entries(sent)) {
    const found = await count(client, `SELECT count(*) FROM public.${table}`);
    if (found !== rows || rows === 0) problems.push(`${found} rows of ${rows} in ${table}`);
  }
  for (const [what, sql] of CHECKS) {
    const found = await count(client, sql, sql.includes("$1") ? [filledTo] : []);
    if (found !== 0) problems.push(`${found} ${what}`);
  }
  if (problems.length === 0) return;
  throw new TerminalError("The shop was filled wrongly and is not kept.", {
    code: "COMMERCE_FILL_WRONG",
    value: problems,
    allowed: "every row that was sent, totals equal to their items, actions for every cart and order",
    next: "Look for triggers or rules on these tables that change rows as they come in.",
  });
}

async function count(client: ClientBase, sql: string, values: unknown[] = []): Promise<number> {
  const result = await client.query<[string]>({ text: sql, values, rowMode: "array" });
  return Number(result.rows[0]?.[0]);
}
