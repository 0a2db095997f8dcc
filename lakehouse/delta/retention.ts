/** How long a table keeps what it no longer needs: table properties whose values are intervals of SQL. */
import { TerminalError } from "../errors.ts";

const SECOND = 1000;
const DAY = 24 * 3600 * SECOND;

/** Milliseconds; months and years, which have no fixed length, count as their longest. */
const UNITS: Readonly<Record<string, number>> = {
  microsecond: 0.001,
  millisecond: 1,
  second: SECOND,
  minute: 60 * SECOND,
  hour: 3600 * SECOND,
  day: DAY,
  week: 7 * DAY,
  month: 31 * DAY,
  year: 366 * DAY,
};
const PART = /^\s*(\d+(?:\.\d+)?)\s+([a-z]+?)s?(?=\s|$)/i;

/** `interval 1 week`, `168 hours`, `interval 1 day 12 hours` in milliseconds; undefined for what is none of these. */
export function parseInterval(text: string): number | undefined {
  let rest = text.trim().replace(/^interval\s+/i, "");
  let millis = 0;
  if (rest === "") return undefined;
  while (rest.trim() !== "") {
    const match = PART.exec(rest);
    const unit = UNITS[match?.[2]?.toLowerCase() ?? ""];
    if (match === null || unit === undefined) return undefined;
    millis += Number(match[1]) * unit;
    rest = rest.slice(match[0].length);
  }
  return millis;
}

/** Properties that state a retention, and what holds where they do not; undefined: for ever. */
const DEFAULTS = {
  "delta.deletedFileRetentionDuration": 7 * DAY,
  "delta.logRetentionDuration": 30 * DAY,
  "delta.setTransactionRetentionDuration": undefined,
} as const;

/**
 * A retention in milliseconds; undefined where nothing expires. Rejects an interval that cannot be read with
 * `DELTA_BAD_PROPERTY`: what is deleted too early does not come back.
 */
export function retentionOf(
  configuration: Readonly<Record<string, string>>,
  property: keyof typeof DEFAULTS,
): number | undefined {
  const text = configuration[property];
  if (text === undefined) return DEFAULTS[property];
  const millis = parseInterval(text);
  if (millis !== undefined) return millis;
  throw new TerminalError(`the table property ${property} is no interval`, {
    code: "DELTA_BAD_PROPERTY",
    value: text,
    allowed: "for example: interval 7 days, interval 168 hours, interval 1 week",
    next: `Set ${property} anew.`,
  });
}
