import { chartValue } from "./chart-item.ts";

const LEVELS = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const MIDDLE = 3;

/** A series as one character a value, from the smallest to the largest; a space where there is none. */
export function sparkline(values: readonly (number | bigint | null)[]): string {
  const numbers = values.map(chartValue);
  const known = numbers.filter((value) => value !== null);
  const least = known.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = known.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return numbers
    .map((value) => {
      if (value === null) return " ";
      if (most === least) return LEVELS[MIDDLE];
      const share = (value / 2 - least / 2) / (most / 2 - least / 2);
      return LEVELS[Math.round(share * (LEVELS.length - 1))];
    })
    .join("");
}
