/** What a simulation knows of the shop: read once at its start, and kept up to date by its own changes. */
import { TerminalError } from "ingot";
import type { ClientBase } from "pg";
import type { OrderStatus } from "./order-status.ts";
import { WeightedIndex } from "./random.ts";

/** Ids stay text: they are 64 bits wide, and nobody calculates with them. */
export interface SimulatedShop {
  readonly users: string[];
  readonly products: { readonly id: string; cents: number }[];
  /** Draws the position of a product in `products`: what sold of late sells again. */
  readonly popularity: WeightedIndex;
  /** Orders that can still go on. */
  readonly orders: { readonly id: string; status: OrderStatus }[];
  /** Carts without an order. */
  readonly openCarts: string[];
}

/** Rows of the recent past that are read; bounds memory, whatever the size of the shop. */
export const RECENT = 5_000;
export const MOST_USERS = 100_000;

/** Reads the shop in a fixed order: the same rows give the same shop. */
export async function readShop(client: ClientBase): Promise<SimulatedShop> {
  const users = await client.query<{ id: string }>(
    "SELECT id FROM (SELECT id FROM public.users ORDER BY id DESC LIMIT $1) AS newest ORDER BY id",
    [MOST_USERS],
  );
  const products = await client.query<{ id: string; cents: number; sold: number }>(
    `SELECT p.id, (p.price * 100)::float8 AS cents, coalesce(s.sold, 0)::float8 AS sold
     FROM public.products p
     LEFT JOIN (SELECT product_id, sum(quantity) AS sold
                FROM (SELECT product_id, quantity FROM public.order_items ORDER BY id DESC LIMIT $1) AS recent
                GROUP BY product_id) AS s ON s.product_id = p.id
     ORDER BY p.id`,
    [4 * RECENT],
  );
  const orders = await client.query<{ id: string; status: OrderStatus }>(
    `SELECT id, status FROM public.orders WHERE status NOT IN ('cancelled', 'refunded')
     ORDER BY id DESC LIMIT $1`,
    [RECENT],
  );
  const carts = await client.query<{ id: string }>(
    `SELECT id FROM public.carts c WHERE NOT EXISTS (SELECT FROM public.orders o WHERE o.cart_id = c.id)
     ORDER BY id DESC LIMIT $1`,
    [RECENT],
  );
  if (users.rows.length === 0 || products.rows.length === 0) throw emptyShop();
  return {
    users: users.rows.map(({ id }) => id),
    products: products.rows.map(({ id, cents }) => ({ id, cents })),
    popularity: new WeightedIndex(products.rows.map(({ sold }) => 0.5 + sold)),
    orders: orders.rows.reverse(),
    openCarts: carts.rows.map(({ id }) => id).reverse(),
  };
}

/** The error of a shop that is not there. */
export function emptyShop(cause?: unknown): TerminalError {
  return new TerminalError("There is no shop to simulate: it has no users or no products.", {
    code: "COMMERCE_EMPTY",
    next: "Run `ingot bootstrap commerce` first.",
    cause,
  });
}
