/** Values as Postgres reads them in COPY's text format, fast: a fill writes millions of them. */
import { DAY } from "./history.ts";

const TWO_DIGITS = Array.from({ length: 100 }, (_, i) => String(i).padStart(2, "0"));
/** `HH:MM` of each minute of a day. */
const MINUTES = Array.from(
  { length: 24 * 60 },
  (_, i) => `${TWO_DIGITS[Math.floor(i / 60)]}:${TWO_DIGITS[i % 60]}`,
);
const days = new Map<number, string>();

/** An instant in seconds as UTC text. */
export function timeText(instant: number): string {
  const day = Math.floor(instant / DAY);
  const second = instant - day * DAY;
  let text = days.get(day);
  if (text === undefined) {
    text = new Date(day * DAY * 1000).toISOString().slice(0, 10);
    days.set(day, text);
  }
  return `${text} ${MINUTES[Math.floor(second / 60)]}:${TWO_DIGITS[second % 60]}+00`;
}

/** Cents as a decimal with two places. */
export function moneyText(cents: number): string {
  return `${Math.floor(cents / 100)}.${TWO_DIGITS[cents % 100]}`;
}
