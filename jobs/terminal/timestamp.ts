/** Instants as ISO 8601 text. */

/** An instant to the microsecond, which a `Date` cannot hold. */
export interface Micros {
  readonly micros: bigint;
}

/** The last instant that JavaScript's calendar knows. */
const LAST_MICROS = 8_640_000_000_000_000_000n;

/**
 * Whether a value of a column is a timestamp in microseconds; a struct that happens to have one field `micros`
 * is told apart by the column's type.
 */
export function isMicros(value: unknown, type = ""): value is Micros {
  if (typeof value !== "object" || value === null || !("micros" in value)) return false;
  return typeof value.micros === "bigint" && Object.keys(value).length === 1 && !/^(STRUCT|MAP)/i.test(type);
}

/** ISO 8601 with six digits; `Z` unless the type is a timestamp without time zone. */
export function isoMicros(micros: bigint, type = ""): string {
  if (micros > LAST_MICROS || micros < -LAST_MICROS) return String(micros);
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - rest) / 1000n)).toISOString().slice(0, -5);
  const zone = /^TIMESTAMP(_\w+)?$/i.test(type) ? "" : "Z";
  return `${seconds}.${String(rest).padStart(6, "0")}${zone}`;
}

/** A `Date` with six digits, so that one column has one width; undefined for an invalid date. */
export function isoDate(date: Date): string | undefined {
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString().replace(/Z$/, "000Z");
}

/** ISO text without a fraction that says nothing: `10:00:00.500000Z` is `10:00:00.5Z`. */
export function trimFraction(iso: string): string {
  return iso.replace(/(\d\d:\d\d:\d\d)(?:\.0+|(\.\d*?[1-9])0+)(?!\d)/, "$1$2");
}
