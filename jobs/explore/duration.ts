/** How long something may take, as people write it. */
import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Timers know no longer time. */
const LONGEST = 2 ** 31 - 1;

/** Milliseconds of `500ms`, `30s`, `2m` or `1h`; undefined where the text is none. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h)$/.exec(text.trim()) ?? [];
  const millis = Math.round(Number(amount) * (UNITS[unit] ?? Number.NaN));
  return millis > 0 && millis <= LONGEST ? millis : undefined;
}

/** As an option of the command line. */
export function durationOption(text: string): number {
  const millis = parseDuration(text);
  if (millis === undefined) throw new InvalidArgumentError("It takes a time such as 500ms, 30s, 2m or 1h.");
  return millis;
}
