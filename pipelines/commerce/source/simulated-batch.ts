/** Decides what happens next in the shop. Draws from chance and from what is known; touches no database. */
import { drawIntent, drawQuantity, ORDERED } from "./journeys.ts";
import { NEXT_STATUS, type OrderStatus } from "./order-status.ts";
import type { Random } from "./random.ts";
import type { SimulatedShop } from "./simulated-shop.ts";

export interface BatchItem {
  readonly productId: string;
  readonly quantity: number;
  readonly cents: number;
}

export interface BatchJourney {
  /** The one who comes: somebody known, or somebody new who signs up first. */
  readonly userId: string | undefined;
  readonly items: readonly BatchItem[];
  readonly orders: boolean;
}

export interface StatusChange {
  readonly id: string;
  readonly from: OrderStatus;
  readonly to: OrderStatus;
}

/** What one transaction writes. No order, cart or product is in it twice. */
export interface Batch {
  readonly journeys: readonly BatchJourney[];
  readonly statusChanges: readonly StatusChange[];
  readonly deletedCarts: readonly string[];
  readonly prices: ReadonlyMap<string, number>;
}

/** How often something happens beside a journey. */
const SIGN_UP = 0.02;
const STATUS_CHANGE = 0.4;
const CART_DELETED = 0.05;
const PRICE_CHANGE = 0.01;
/** How often an order leaves the usual way: is cancelled, or refunded after its delivery. */
const DETOUR = 0.05;

/** Plans `count` journeys and what happens meanwhile. Takes what it deletes or ends out of `shop`. */
export function planBatch(shop: SimulatedShop, count: number, random: Random): Batch {
  const journeys: BatchJourney[] = [];
  const statusChanges = new Map<string, StatusChange>();
  const deletedCarts: string[] = [];
  const prices = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    journeys.push(planJourney(shop, random));
    const change = random.chance(STATUS_CHANGE) ? planStatusChange(shop, random) : undefined;
    if (change !== undefined && !statusChanges.has(change.id)) statusChanges.set(change.id, change);
    const cart = random.chance(CART_DELETED) ? takeOne(shop.openCarts, random) : undefined;
    if (cart !== undefined) deletedCarts.push(cart);
    if (random.chance(PRICE_CHANGE)) {
      const { id, cents } = random.pick(shop.products);
      prices.set(id, Math.max(1, Math.round(cents * (0.9 + 0.25 * random.next()))));
    }
  }
  return { journeys, statusChanges: [...statusChanges.values()], deletedCarts, prices };
}

/** Whole cents are exact in a double; euros would not be. */
export function totalCents(items: readonly BatchItem[]): number {
  return items.reduce((sum, { quantity, cents }) => sum + quantity * cents, 0);
}

function planJourney(shop: SimulatedShop, random: Random): BatchJourney {
  const userId = random.chance(SIGN_UP) ? undefined : random.pick(shop.users);
  const { orders, size } = drawIntent(random, ORDERED);
  const items = new Map<string, BatchItem>();
  for (let i = 0; i < size; i++) {
    const product = shop.products[shop.popularity.draw(random)];
    const quantity = drawQuantity(random);
    if (product) items.set(product.id, { productId: product.id, quantity, cents: product.cents });
  }
  return { userId, items: [...items.values()], orders };
}

function planStatusChange(shop: SimulatedShop, random: Random): StatusChange | undefined {
  if (shop.orders.length === 0) return undefined;
  const { id, status } = random.pick(shop.orders);
  const [usual, ...detours] = NEXT_STATUS[status];
  // A delivered order stays delivered, unless it is refunded.
  const detour = random.chance(DETOUR);
  const to = status === "delivered" ? (detour ? usual : undefined) : detour ? (detours[0] ?? usual) : usual;
  return to === undefined ? undefined : { id, from: status, to };
}

/** Takes a random element out; its place goes to the last one, so that nothing has to move up. */
function takeOne<T>(values: T[], random: Random): T | undefined {
  const index = Math.floor(random.next() * values.length);
  const taken = values[index];
  const last = values.pop();
  if (last !== undefined && index < values.length) values[index] = last;
  return taken;
}
