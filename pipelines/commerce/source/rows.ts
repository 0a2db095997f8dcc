/** The tables of the shop as lines of COPY's text format. */
import type { Catalogue } from "./catalogue.ts";
import { DAY, type History } from "./history.ts";
import type { Journey } from "./journeys.ts";
import { peopleMaker } from "./people.ts";
import { Random } from "./random.ts";
import { moneyText, timeText } from "./text.ts";

/** What the lines are made of. */
export interface Shop {
  readonly seed: number;
  readonly history: History;
  readonly catalogue: Catalogue;
  /** When each user signed up, sorted. */
  readonly signedUp: Float64Array;
  /** Starts the same journeys from the beginning. */
  readonly journeys: () => Iterable<Journey>;
}

/** One table: its columns in the order of its lines, and the lines. */
export interface TableRows {
  readonly table: string;
  readonly columns: string;
  readonly lines: (shop: Shop) => Iterable<string>;
}

/** Days for which actions are kept. */
export const ACTIONS_KEPT = 200;

/** In the order in which they are filled. */
export const TABLES: readonly TableRows[] = [
  { table: "categories", columns: "id, name, updated_at", lines: categories },
  { table: "users", columns: "id, email, full_name, country, created_at, updated_at", lines: users },
  {
    table: "products",
    columns: "id, category_id, name, price, created_at, updated_at",
    lines: products,
  },
  { table: "carts", columns: "id, user_id, created_at, updated_at", lines: carts },
  {
    table: "cart_items",
    columns: "id, cart_id, product_id, quantity, created_at, updated_at",
    lines: cartItems,
  },
  { table: "orders", columns: "id, cart_id, user_id, status, total, created_at, updated_at", lines: orders },
  {
    table: "order_items",
    columns: "id, order_id, product_id, quantity, unit_price, updated_at",
    lines: orderItems,
  },
  {
    table: "user_actions",
    columns: "id, user_id, action, cart_id, product_id, occurred_at, updated_at",
    lines: userActions,
  },
];

function* categories({ catalogue, history }: Shop) {
  const at = timeText(history.start - 730 * DAY);
  for (const [i, name] of catalogue.categories.entries()) yield `${i + 1}\t${name}\t${at}\n`;
}

function* users({ seed, signedUp, history }: Shop) {
  const person = peopleMaker(seed);
  const random = new Random(seed, 5);
  for (const [i, at] of signedUp.entries()) {
    const user = person(i + 1, random);
    // One of ten has moved or married since.
    const changedAt = random.chance(0.1) ? random.between(at, history.end - 1) : at;
    yield `${user.id}\t${user.email}\t${user.fullName}\t${user.country}\t${timeText(at)}\t${timeText(changedAt)}\n`;
  }
}

function* products({ catalogue }: Shop) {
  for (const { id, categoryId, name, cents, createdAt, updatedAt } of catalogue.products) {
    const price = moneyText(cents.at(-1) ?? 0);
    yield `${id}\t${categoryId}\t${name}\t${price}\t${timeText(createdAt)}\t${timeText(updatedAt)}\n`;
  }
}

function* carts({ journeys }: Shop) {
  for (const { cartId, userId, startedAt, items } of journeys()) {
    yield `${cartId}\t${userId}\t${timeText(startedAt)}\t${timeText(items.at(-1)?.addedAt ?? startedAt)}\n`;
  }
}

function* cartItems({ journeys }: Shop) {
  let id = 0;
  for (const { cartId, items } of journeys()) {
    for (const { productId, quantity, addedAt } of items) {
      const at = timeText(addedAt);
      yield `${++id}\t${cartId}\t${productId}\t${quantity}\t${at}\t${at}\n`;
    }
  }
}

function* orders({ journeys }: Shop) {
  for (const { cartId, userId, items, order } of journeys()) {
    if (order === undefined) continue;
    const { id, status, createdAt, updatedAt } = order;
    // Whole cents are exact in a double; euros would not be.
    const total = moneyText(items.reduce((sum, item) => sum + item.quantity * item.unitCents, 0));
    yield `${id}\t${cartId}\t${userId}\t${status}\t${total}\t${timeText(createdAt)}\t${timeText(updatedAt)}\n`;
  }
}

function* orderItems({ journeys }: Shop) {
  let id = 0;
  for (const { items, order } of journeys()) {
    if (order === undefined) continue;
    const at = timeText(order.createdAt);
    for (const { productId, quantity, unitCents } of items) {
      yield `${++id}\t${order.id}\t${productId}\t${quantity}\t${moneyText(unitCents)}\t${at}\n`;
    }
  }
}

function* userActions({ journeys, history }: Shop) {
  const keptFrom = history.end - ACTIONS_KEPT * DAY;
  let id = 0;
  for (const { cartId, userId, startedAt, items, order } of journeys()) {
    if (startedAt < keptFrom) continue;
    const line = (action: string, cart: number | "\\N", product: number | "\\N", at: string) =>
      `${++id}\t${userId}\t${action}\t${cart}\t${product}\t${at}\t${at}\n`;
    yield line("login", "\\N", "\\N", timeText(startedAt));
    yield line("create_cart", cartId, "\\N", timeText(startedAt));
    for (const item of items) yield line("add_product", cartId, item.productId, timeText(item.addedAt));
    if (order !== undefined) yield line("checkout", cartId, "\\N", timeText(order.createdAt));
  }
}
