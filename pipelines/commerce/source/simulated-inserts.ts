/** The rows of simulated journeys. Times are the database's own: the moment of the transaction. */
import type { ClientBase } from "pg";
import { insertMany } from "./insert-many.ts";
import type { User } from "./people.ts";
import { type BatchJourney, totalCents } from "./simulated-batch.ts";
import { moneyText } from "./text.ts";

/** A planned journey with its ids. */
export interface Numbered extends BatchJourney {
  readonly userId: string;
  readonly cartId: string;
  readonly orderId: string | undefined;
}

export const insertUsers = (client: ClientBase, users: readonly User[]) =>
  insertMany(
    client,
    "users",
    {
      id: ["bigint", (user) => user.id],
      email: ["text", (user) => user.email],
      full_name: ["text", (user) => user.fullName],
      country: ["text", (user) => user.country],
    },
    users,
  );

export const insertCarts = (client: ClientBase, journeys: readonly Numbered[]) =>
  insertMany(
    client,
    "carts",
    { id: ["bigint", (journey) => journey.cartId], user_id: ["bigint", (journey) => journey.userId] },
    journeys,
  );

export const insertCartItems = (client: ClientBase, journeys: readonly Numbered[]) =>
  insertMany(
    client,
    "cart_items",
    {
      cart_id: ["bigint", (item) => item.cartId],
      product_id: ["bigint", (item) => item.productId],
      quantity: ["integer", (item) => item.quantity],
    },
    journeys.flatMap(({ cartId, items }) => items.map((item) => ({ cartId, ...item }))),
  );

export const insertOrders = (client: ClientBase, journeys: readonly Numbered[]) =>
  insertMany(
    client,
    "orders",
    {
      id: ["bigint", (journey) => journey.orderId ?? null],
      cart_id: ["bigint", (journey) => journey.cartId],
      user_id: ["bigint", (journey) => journey.userId],
      total: ["numeric", (journey) => moneyText(totalCents(journey.items))],
    },
    journeys,
  );

export const insertOrderItems = (client: ClientBase, journeys: readonly Numbered[]) =>
  insertMany(
    client,
    "order_items",
    {
      order_id: ["bigint", (item) => item.orderId ?? null],
      product_id: ["bigint", (item) => item.productId],
      quantity: ["integer", (item) => item.quantity],
      unit_price: ["numeric", (item) => moneyText(item.cents)],
    },
    journeys.flatMap(({ orderId, items }) => items.map((item) => ({ orderId, ...item }))),
  );

export const insertActions = (client: ClientBase, journeys: readonly Numbered[]) =>
  insertMany(
    client,
    "user_actions",
    {
      user_id: ["bigint", (action) => action.userId],
      action: ["text", (action) => action.action],
      cart_id: ["bigint", (action) => action.cartId],
      product_id: ["bigint", (action) => action.productId],
    },
    journeys.flatMap(({ userId, cartId, items, orders }) => [
      { userId, action: "login", cartId: null, productId: null },
      { userId, action: "create_cart", cartId, productId: null },
      ...items.map(({ productId }) => ({ userId, action: "add_product", cartId, productId })),
      ...(orders ? [{ userId, action: "checkout", cartId, productId: null }] : []),
    ]),
  );
