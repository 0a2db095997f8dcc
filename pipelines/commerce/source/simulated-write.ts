/** Writes one batch of a simulation: a transaction of a few statements, each for many rows. */
import type { SimulateResult } from "ingot";
import type { ClientBase } from "pg";
import type { User } from "./people.ts";
import type { Batch, BatchJourney } from "./simulated-batch.ts";
import { changePrices, changeStatuses, deleteCarts } from "./simulated-changes.ts";
import {
  insertActions,
  insertCartItems,
  insertCarts,
  insertOrderItems,
  insertOrders,
  insertUsers,
  type Numbered,
} from "./simulated-inserts.ts";

/** What a batch came to in the database. */
export interface WrittenBatch {
  readonly newUsers: readonly string[];
  readonly orders: readonly string[];
  /** Carts that did not come to an order. */
  readonly openCarts: readonly string[];
  readonly changes: SimulateResult["changes"];
}

/** Commits the whole batch, or nothing of it. */
export async function writeBatch(
  client: ClientBase,
  batch: Batch,
  newPerson: (id: string) => User,
): Promise<WrittenBatch> {
  await client.query("BEGIN");
  try {
    const { journeys, newUsers } = await numbered(client, batch.journeys);
    const ordered = journeys.filter(({ orderId }) => orderId !== undefined);
    const inserted = {
      users: await insertUsers(client, newUsers.map(newPerson)),
      carts: await insertCarts(client, journeys),
      cart_items: await insertCartItems(client, journeys),
      orders: await insertOrders(client, ordered),
      order_items: await insertOrderItems(client, ordered),
      user_actions: await insertActions(client, journeys),
    };
    const statuses = await changeStatuses(client, batch.statusChanges);
    const prices = await changePrices(client, batch.prices);
    const deleted = await deleteCarts(client, batch.deletedCarts);
    await client.query("COMMIT");
    return {
      newUsers,
      orders: ordered.flatMap(({ orderId }) => orderId ?? []),
      openCarts: journeys.filter(({ orderId }) => orderId === undefined).map(({ cartId }) => cartId),
      changes: {
        users: { inserted: inserted.users, updated: 0, deleted: 0 },
        products: { inserted: 0, updated: prices, deleted: 0 },
        carts: { inserted: inserted.carts, updated: 0, deleted: deleted.carts },
        cart_items: { inserted: inserted.cart_items, updated: 0, deleted: deleted.items },
        orders: { inserted: inserted.orders, updated: statuses, deleted: 0 },
        order_items: { inserted: inserted.order_items, updated: 0, deleted: 0 },
        user_actions: { inserted: inserted.user_actions, updated: 0, deleted: 0 },
      },
    };
  } catch (error) {
    // The first error says more than that of a rollback on a broken connection.
    await client.query("ROLLBACK").catch(() => {});
    throw error;
  }
}

/** Takes ids from the sequences first, so that rows can refer to each other before they are there. */
async function numbered(client: ClientBase, journeys: readonly BatchJourney[]) {
  const newcomers = journeys.filter(({ userId }) => userId === undefined);
  const users = await takeIds(client, "users", newcomers.length);
  const carts = await takeIds(client, "carts", journeys.length);
  const orders = await takeIds(client, "orders", journeys.filter((journey) => journey.orders).length);
  const [user, cart, order] = [users.values(), carts.values(), orders.values()];
  return {
    newUsers: users,
    journeys: journeys.map(
      (journey): Numbered => ({
        ...journey,
        userId: journey.userId ?? next(user),
        cartId: next(cart),
        orderId: journey.orders ? next(order) : undefined,
      }),
    ),
  };
}

async function takeIds(client: ClientBase, table: string, count: number): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    "SELECT nextval(pg_get_serial_sequence('public.' || $1, 'id')) AS id FROM generate_series(1, $2::int)",
    [table, count],
  );
  return rows.map(({ id }) => id);
}

function next(ids: Iterator<string>): string {
  const { value, done } = ids.next();
  if (done) throw new RangeError("fewer ids than rows");
  return value;
}
