/** What users did in the shop: the journeys from which carts, orders and actions are written. */
import type { Catalogue } from "./catalogue.ts";
import { DAY, eventTimes, type History, HOUR, isSale, quarterAt } from "./history.ts";
import { type OrderStatus, statusAt } from "./order-status.ts";
import { Random, WeightedIndex } from "./random.ts";

interface JourneyItem {
  readonly productId: number;
  readonly quantity: number;
  readonly unitCents: number;
  readonly addedAt: number;
}

interface PlacedOrder {
  readonly id: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly status: OrderStatus;
}

/** One visit: a login, a cart, what was put into it, and the order if it came to one. */
export interface Journey {
  readonly cartId: number;
  readonly userId: number;
  readonly startedAt: number;
  readonly items: readonly JourneyItem[];
  readonly order: PlacedOrder | undefined;
}

/** Of 100 carts, 12 stay empty; of the others somewhat more than half are ordered: 52 of 100 are abandoned. */
const EMPTY = 0.12;
export const ORDERED = 0.545;
/** How many products (1, 2, …) an ordered and an abandoned cart holds. */
const ORDERED_SIZE = new WeightedIndex([25, 25, 19, 12, 8, 5, 3, 3]);
const ABANDONED_SIZE = new WeightedIndex([50, 28, 13, 6, 3]);
const QUANTITY = new WeightedIndex([75, 17, 5, 3]);

/**
 * The journeys of a history in order of their carts. A pure function of its arguments: every table is written from a
 * pass of its own, so that none of them is held in memory.
 */
export function* makeJourneys(
  history: History,
  catalogue: Catalogue,
  signedUp: Float64Array,
  count: number,
  seed: number,
): Generator<Journey> {
  const random = new Random(seed, 3);
  let cartId = 0;
  let orderId = 0;
  let users = 0;
  for (const startedAt of eventTimes(history, count, new Random(seed, 4))) {
    while (users < signedUp.length && (signedUp[users] ?? 0) < startedAt) users++;
    const intent = drawIntent(random, isSale(startedAt) ? ORDERED * 1.12 : ORDERED);
    const items = fillCart(history, catalogue, startedAt, intent.size, random);
    const lastAt = items.at(-1)?.addedAt ?? startedAt;
    // Some sleep on it. What would be ordered after the end of the history has not been ordered yet.
    const hesitation = random.chance(0.06) ? random.between(HOUR, 2 * DAY) : random.between(30, 900);
    const createdAt = lastAt + hesitation;
    const ordered = intent.orders && createdAt < history.end;
    yield {
      cartId: ++cartId,
      // Those who came early come back more often.
      userId: 1 + Math.floor(users * random.next() ** 1.3),
      startedAt,
      items,
      order: ordered
        ? { id: ++orderId, createdAt, ...statusAt(createdAt, history.end - 1, random) }
        : undefined,
    };
  }
}

/** Whether a visit ends in an order, and how many products it puts into the cart. */
export function drawIntent(random: Random, ordered: number): { orders: boolean; size: number } {
  if (random.chance(EMPTY)) return { orders: false, size: 0 };
  const orders = random.chance(ordered);
  return { orders, size: 1 + (orders ? ORDERED_SIZE : ABANDONED_SIZE).draw(random) };
}

/** One for most, seldom up to four. */
export function drawQuantity(random: Random): number {
  return 1 + QUANTITY.draw(random);
}

function fillCart(
  history: History,
  catalogue: Catalogue,
  startedAt: number,
  size: number,
  random: Random,
): JourneyItem[] {
  const items: JourneyItem[] = [];
  const quarter = quarterAt(history, startedAt);
  const popularity = catalogue.popularity[quarter];
  let addedAt = startedAt;
  for (let i = 0; i < size && popularity !== undefined; i++) {
    addedAt = Math.min(addedAt + random.between(15, 240), history.end - 1);
    const product = catalogue.products[popularity.draw(random)];
    const quantity = drawQuantity(random);
    // A product that is in the cart already is not put there again; the cart stays one smaller.
    if (product === undefined || items.some((item) => item.productId === product.id)) continue;
    items.push({ productId: product.id, quantity, unitCents: product.cents[quarter] ?? 0, addedAt });
  }
  return items;
}
