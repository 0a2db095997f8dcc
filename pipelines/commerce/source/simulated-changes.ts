/**
 * Changes to rows that are there already. Several simulations may run at once: rows that another one holds are left
 * alone (SKIP LOCKED), so nobody waits for anybody and no two can wait for each other.
 */
import type { ClientBase } from "pg";
import type { StatusChange } from "./simulated-batch.ts";
import { moneyText } from "./text.ts";

/** Moves orders on that are still where they were thought to be. Gives their number. */
export async function changeStatuses(client: ClientBase, changes: readonly StatusChange[]): Promise<number> {
  if (changes.length === 0) return 0;
  const result = await client.query(
    `WITH free AS (
       SELECT id FROM public.orders WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
     )
     UPDATE public.orders o SET status = n.after
     FROM unnest($1::bigint[], $2::text[], $3::text[]) AS n (id, before, after), free
     WHERE o.id = n.id AND o.id = free.id AND o.status = n.before`,
    [changes.map(({ id }) => id), changes.map(({ from }) => from), changes.map(({ to }) => to)],
  );
  return result.rowCount ?? 0;
}

/** Sets prices, in cents by product. Gives the number of products. */
export async function changePrices(client: ClientBase, prices: ReadonlyMap<string, number>): Promise<number> {
  if (prices.size === 0) return 0;
  const result = await client.query(
    `WITH free AS (
       SELECT id FROM public.products WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
     )
     UPDATE public.products p SET price = n.price
     FROM unnest($1::bigint[], $2::numeric[]) AS n (id, price), free
     WHERE p.id = n.id AND p.id = free.id`,
    [[...prices.keys()], [...prices.values()].map(moneyText)],
  );
  return result.rowCount ?? 0;
}

/** Deletes carts that nobody ordered. Their items go first, only so that they can be counted. */
export async function deleteCarts(
  client: ClientBase,
  ids: readonly string[],
): Promise<{ carts: number; items: number }> {
  if (ids.length === 0) return { carts: 0, items: 0 };
  const free = await client.query<{ id: string }>(
    `SELECT id FROM public.carts c
     WHERE id = ANY($1::bigint[]) AND NOT EXISTS (SELECT FROM public.orders o WHERE o.cart_id = c.id)
     ORDER BY id FOR UPDATE SKIP LOCKED`,
    [ids],
  );
  const found = [free.rows.map(({ id }) => id)];
  const items = await client.query("DELETE FROM public.cart_items WHERE cart_id = ANY($1::bigint[])", found);
  const carts = await client.query("DELETE FROM public.carts WHERE id = ANY($1::bigint[])", found);
  return { carts: carts.rowCount ?? 0, items: items.rowCount ?? 0 };
}
