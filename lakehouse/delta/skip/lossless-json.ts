/** JSON whose numbers keep every digit: JSON.parse rounds integers beyond 2^53 and long decimals. */

/** Longest run of digits that a double holds exactly, so that its text is the number again. */
const LONG_NUMBER = /[\d.]{16}|Infinity|NaN/;
/** Strings come first, so that what looks like a number inside of one is passed over. */
const TOKEN = /"(?:[^"\\]|\\.)*"|-?(?:Infinity|NaN)|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** Key of the object that stands for a long number; no column can be named so. */
const DIGITS = "\u0000digits";

/**
 * Parses JSON text; also takes the bare `Infinity` and `NaN` that DuckDB writes. Read numbers with
 * {@link numberText}. Throws a SyntaxError where the text is no JSON.
 */
export function parseLossless(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  return JSON.parse(
    text.replace(TOKEN, (token) =>
      LONG_NUMBER.test(token) && !token.startsWith('"') ? `{"\\u0000digits":"${token}"}` : token,
    ),
  );
}

/** The digits of a number in the result of {@link parseLossless}; undefined for anything else. */
export function numberText(value: unknown): string | undefined {
  if (typeof value === "number") return String(value);
  if (typeof value !== "object" || value === null || !(DIGITS in value)) return undefined;
  const digits = value[DIGITS];
  return typeof digits === "string" ? digits : undefined;
}

/** JSON text of a result of {@link parseLossless}, every number with the digits that it had. */
export function stringifyLossless(value: unknown): string {
  const digits = typeof value === "number" ? undefined : numberText(value);
  if (digits !== undefined) return digits;
  if (Array.isArray(value)) return `[${value.map(stringifyLossless).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, v]) => `${JSON.stringify(key)}:${stringifyLossless(v)}`);
  return `{${members.join(",")}}`;
}
