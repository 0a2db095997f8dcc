/** What the shop sells: categories, products, their prices and how popular they are, quarter by quarter. */
import { faker } from "@faker-js/faker/locale/en";
import { CATEGORY_WORDS } from "./category-words.ts";
import { DAY, type History } from "./history.ts";
import { Random, WeightedIndex, zipf } from "./random.ts";

interface Product {
  readonly id: number;
  readonly categoryId: number;
  readonly name: string;
  /** Price in cents in each quarter; 0 before the product was there. */
  readonly cents: readonly number[];
  readonly createdAt: number;
  /** When the price last changed. */
  readonly updatedAt: number;
}

export interface Catalogue {
  readonly categories: readonly string[];
  readonly products: readonly Product[];
  /** By quarter: draws the position of a product in `products`. */
  readonly popularity: readonly WeightedIndex[];
}

/** Go with every product; those of faker do not ("Tasty Picture Book"). */
const ADJECTIVES = (
  "Classic Compact Premium Essential Modern Heritage Everyday Elegant Sturdy Refined Original Signature " +
  "Simple Deluxe Grand Little Nordic Urban Travel Studio Royal Pure"
).split(" ");

export function makeCatalogue(history: History, count: number, seed: number): Catalogue {
  const random = new Random(seed, 1);
  faker.seed(seed);
  const brands = Array.from({ length: 120 }, () => faker.person.lastName());
  const names = new Set<string>();
  const products = Array.from({ length: count }, (_, i): Product => {
    const category = i % CATEGORY_WORDS.length;
    const [, words, price] = CATEGORY_WORDS[category] ?? ["", ["Thing"], 10];
    // A name that is taken is drawn again; there are about 10,000 in every category.
    let name: string;
    do name = `${random.pick(brands)} ${random.pick(ADJECTIVES)} ${random.pick(words)}`;
    while (names.has(name));
    names.add(name);
    return { id: i + 1, categoryId: category + 1, name, ...priced(history, price, random) };
  });
  return {
    categories: CATEGORY_WORDS.map(([name]) => name),
    products,
    popularity: popularity(history, products, random),
  };
}

/** Six products of seven were there from the start; prices move by up to 15 % at the turn of some quarters. */
function priced(history: History, around: number, random: Random) {
  const launched = random.chance(6 / 7) ? 0 : random.between(1, history.quarters.length - 1);
  let euros = around * Math.exp(0.45 * random.bell());
  const cents: number[] = [];
  const createdAt = (history.quarters[launched] ?? 0) - random.between(1, 40 * DAY);
  let updatedAt = createdAt;
  for (const [quarter, start] of history.quarters.entries()) {
    if (quarter > launched && random.chance(0.25)) {
      euros *= 1 + (random.next() - 0.4) * 0.25;
      // Not after the history's end, which on the first day of a quarter is that quarter's start.
      updatedAt = Math.min(start, history.end - 1);
    }
    cents.push(quarter < launched ? 0 : Math.max(1, Math.round(euros)) * 100 - 1);
  }
  return { cents, createdAt: Math.min(createdAt, history.end - 1), updatedAt };
}

/** A long tail, and favourites that come and go: each quarter a product sells better or worse by chance. */
function popularity(history: History, products: readonly Product[], random: Random): WeightedIndex[] {
  const ranks = zipf(products.length, 0.85);
  const weights = shuffled(ranks, random);
  return history.quarters.map((_, quarter) => {
    const fashion = () => Math.exp(0.5 * random.bell());
    return new WeightedIndex(products.map((p, i) => (p.cents[quarter] ? (weights[i] ?? 0) * fashion() : 0)));
  });
}

function shuffled(values: Float64Array, random: Random): Float64Array {
  const result = values.slice();
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.between(0, i);
    [result[i], result[j]] = [result[j] ?? 0, result[i] ?? 0];
  }
  return result;
}
