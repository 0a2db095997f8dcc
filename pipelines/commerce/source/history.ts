/** The time that the shop's history covers, and how busy each of its days was. */
import { type Random, WeightedIndex } from "./random.ts";

export const HOUR = 3600;
export const DAY = 24 * HOUR;
const QUARTERS = 7;

/** Instants are whole seconds since 1970, UTC. */
export interface History {
  /** Starts of the quarters, oldest first; the last one goes on. */
  readonly quarters: readonly number[];
  readonly start: number;
  /** First second after it: the start of a day, so that any hour of that day gives the same history. */
  readonly end: number;
}

/** The quarter of `asOf` up to its day, and the six quarters before. */
export function historyUntil(asOf: Date): History {
  const quarter = Math.floor(asOf.getUTCMonth() / 3);
  const quarters = Array.from(
    { length: QUARTERS },
    (_, i) => Date.UTC(asOf.getUTCFullYear(), 3 * (quarter - QUARTERS + 1 + i), 1) / 1000,
  );
  const start = quarters[0] ?? 0;
  return { quarters, start, end: Math.floor(asOf.getTime() / 1000 / DAY) * DAY };
}

/** Index of the quarter that an instant lies in. */
export function quarterAt(history: History, instant: number): number {
  let index = history.quarters.length - 1;
  while (index > 0 && instant < (history.quarters[index] ?? 0)) index--;
  return index;
}

/** How much of an average day's business Sunday to Saturday see. */
const WEEK = [1.15, 0.98, 0.92, 0.9, 0.95, 0.98, 1.12];
/** Weight of the hours of a day. */
const HOURS = [4, 2, 1, 1, 1, 2, 4, 7, 9, 11, 12, 13, 14, 13, 12, 12, 13, 14, 17, 21, 24, 22, 16, 9];
const hourOfDay = new WeightedIndex(HOURS);

/** Whether the day is one of the week of discounts at the end of November. */
export function isSale(day: number): boolean {
  const date = new Date(day * 1000);
  return date.getUTCMonth() === 10 && date.getUTCDate() >= 23;
}

/** The year's rhythm: gifts before Christmas, a poor January, a summer away. */
function season(day: number): number {
  const date = new Date(day * 1000);
  const month = date.getUTCMonth();
  if (isSale(day)) return 1.9;
  if (month === 11) return date.getUTCDate() <= 20 ? 1.55 : 0.85;
  if (month === 0) return 0.8;
  return month === 6 || month === 7 ? 0.87 : 1;
}

/**
 * Spreads `total` events over the days by growth, season, weekday and chance, and gives the sorted seconds of each
 * day. The counts of all days add up to exactly `total`.
 */
export function* eventTimes(history: History, total: number, random: Random): Generator<number> {
  const days = Math.max(1, Math.round((history.end - history.start) / DAY));
  const weights = Array.from({ length: days }, (_, i) => {
    const day = history.start + i * DAY;
    const growth = 1 + (0.6 * i) / days;
    return growth * season(day) * (WEEK[new Date(day * 1000).getUTCDay()] ?? 1) * (1 + 0.06 * random.bell());
  });
  const sum = weights.reduce((a, b) => a + b, 0);
  let before = 0;
  let weight = 0;
  for (const [i, share] of weights.entries()) {
    weight += share;
    const until = i === days - 1 ? total : Math.round((total * weight) / sum);
    const seconds = Uint32Array.from({ length: until - before }, () => secondOfDay(random)).sort();
    for (const second of seconds) yield history.start + i * DAY + second;
    before = until;
  }
}

function secondOfDay(random: Random): number {
  return hourOfDay.draw(random) * HOUR + random.between(0, HOUR - 1);
}
