/**
 * Values as data skipping compares them: exactly, and in DuckDB's order, whatever the Delta type. Integers of all
 * widths and decimals are one kind; dates and timestamps are another, in microseconds.
 */

/** A value that is not null. */
export type Value =
  | { readonly kind: "boolean"; readonly value: boolean }
  /** `unscaled` divided by 10 to the power of `scale`; the scale is not negative. Integers have scale 0. */
  | { readonly kind: "decimal"; readonly unscaled: bigint; readonly scale: number }
  /** A float or a double; NaN and the infinities included. */
  | { readonly kind: "float"; readonly value: number }
  /** Well-formed Unicode. */
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "binary"; readonly value: Uint8Array }
  /** Microseconds since 1970-01-01T00:00:00, in UTC where the type is an instant; a date is its midnight. */
  | { readonly kind: "time"; readonly micros: bigint };

/** How the left value lies to the right one. */
export type Ordering = -1 | 0 | 1;

/**
 * DuckDB's order of two values; undefined where they are of different kinds. NaN equals itself and is greater than
 * any other float, the zeros are equal, texts compare by code points (as their UTF-8 bytes do).
 */
export function compareValues(a: Value, b: Value): Ordering | undefined {
  if (a.kind === "decimal" && b.kind === "decimal") {
    const scale = Math.max(a.scale, b.scale);
    return order(rescaled(a, scale), rescaled(b, scale));
  }
  if (a.kind === "float" && b.kind === "float") return compareFloats(a.value, b.value);
  if (a.kind === "text" && b.kind === "text") return compareTexts(a.value, b.value);
  if (a.kind === "time" && b.kind === "time") return order(a.micros, b.micros);
  if (a.kind === "boolean" && b.kind === "boolean") return order(a.value, b.value);
  if (a.kind === "binary" && b.kind === "binary") return Buffer.compare(a.value, b.value) as Ordering;
  return undefined;
}

/** A text as a value; undefined where it has half a surrogate pair, which UTF-8 cannot hold. */
export function textValue(text: string): Value | undefined {
  return /\p{Surrogate}/u.test(text) ? undefined : { kind: "text", value: text };
}

const DECIMAL_TEXT = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;

/** A number's text (`12`, `-1.50`, `1E+3`) as an exact decimal; undefined where it is none. */
export function parseDecimal(text: string): Value | undefined {
  const match = DECIMAL_TEXT.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  const magnitude = BigInt(whole + fraction);
  const unscaled = sign === "-" ? -magnitude : magnitude;
  const scale = fraction.length - Number(exponent);
  if (scale >= 0) return { kind: "decimal", unscaled, scale };
  return { kind: "decimal", unscaled: unscaled * 10n ** BigInt(-scale), scale: 0 };
}

/** An exact decimal with all of its digits, without an exponent. */
export function decimalText(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? "-" : "";
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

const MICROS_PER_DAY = 86_400_000_000n;
const DATE_TEXT = /^(\d{4})-(\d\d)-(\d\d)$/;
const TIMESTAMP_TEXT =
  /^(\d{4}-\d\d-\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):?(\d\d)?)?$/;

/** `2024-02-29` as the time of its midnight; undefined where the text is no such date. */
export function parseDate(text: string): Value | undefined {
  const match = DATE_TEXT.exec(text);
  if (match === null) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const date = new Date(0);
  // Date.UTC takes years below 100 for the 1900s.
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  return { kind: "time", micros: (BigInt(date.getTime()) / 86_400_000n) * MICROS_PER_DAY };
}

/**
 * A timestamp with `T` or a space between date and time, up to nine digits of fraction (what is finer than
 * microseconds is cut), `Z` or an offset; without either it is taken as UTC.
 */
export function parseTimestamp(text: string): Value | undefined {
  const match = TIMESTAMP_TEXT.exec(text);
  const date = match === null ? undefined : parseDate(match[1] ?? "");
  if (match === null || date?.kind !== "time") return undefined;
  const [hour, minute, second] = [Number(match[2]), Number(match[3]), Number(match[4])];
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const offset = (Number(match[7] ?? 0) * 60 + Number(match[8] ?? 0)) * (match[6] === "-" ? -60 : 60);
  const seconds = (hour * 60 + minute) * 60 + second - offset;
  const fraction = BigInt((match[5] ?? "").slice(0, 6).padEnd(6, "0"));
  return { kind: "time", micros: date.micros + BigInt(seconds) * 1_000_000n + fraction };
}

function rescaled(value: { unscaled: bigint; scale: number }, scale: number): bigint {
  return value.unscaled * 10n ** BigInt(scale - value.scale);
}

function order<T extends bigint | number | boolean>(a: T, b: T): Ordering {
  if (a < b) return -1;
  return a > b ? 1 : 0;
}

function compareFloats(a: number, b: number): Ordering {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
  return Number.isNaN(b) ? -1 : order(a, b);
}

/** By code points: JavaScript's own order puts the surrogates of U+10000 and above before U+E000 to U+FFFF. */
function compareTexts(a: string, b: string): Ordering {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    const [xSurrogate, ySurrogate] = [isSurrogate(x), isSurrogate(y)];
    if (xSurrogate !== ySurrogate) return xSurrogate ? 1 : -1;
    return order(x, y);
  }
  return order(a.length, b.length);
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
