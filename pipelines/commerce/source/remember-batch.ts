import type { Batch } from "./simulated-batch.ts";
import { MOST_USERS, RECENT, type SimulatedShop } from "./simulated-shop.ts";
import type { WrittenBatch } from "./simulated-write.ts";

/** Takes note of what a committed batch changed. */
export function rememberBatch(shop: SimulatedShop, batch: Batch, written: WrittenBatch): void {
  shop.users.push(...written.newUsers);
  shop.orders.push(...written.orders.map((id) => ({ id, status: "pending" as const })));
  shop.openCarts.push(...written.openCarts);
  const statuses = new Map(batch.statusChanges.map(({ id, to }) => [id, to]));
  for (const order of shop.orders) order.status = statuses.get(order.id) ?? order.status;
  for (const product of shop.products) product.cents = batch.prices.get(product.id) ?? product.cents;
  // The oldest go first; a simulation that runs for days must not grow.
  shop.users.splice(0, shop.users.length - MOST_USERS);
  shop.orders.splice(0, shop.orders.length - RECENT);
  shop.openCarts.splice(0, shop.openCarts.length - RECENT);
}
