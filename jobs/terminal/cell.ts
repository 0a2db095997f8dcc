import { hexText, jsonText } from "./json-text.ts";
import { formatBytes } from "./numbers.ts";
import { printable, wellCut } from "./text.ts";
import { isMicros, isoDate, isoMicros, trimFraction } from "./timestamp.ts";

/** No terminal shows more of one cell. */
const LONGEST = 4000;
/** Enough bytes to recognise a hash or the magic number of a file. */
const BYTES_SHOWN = 16;

/** A value as one line of plain text for a table. Numbers keep all their digits. */
export function formatCell(value: unknown, type = ""): string {
  const text = plainText(value, type);
  return printable(text.length > LONGEST ? `${wellCut(text, LONGEST)}…` : text);
}

function plainText(value: unknown, type: string): string {
  if (value === null || value === undefined) return "NULL";
  if (typeof value === "string") return /^TIME/i.test(type) ? trimFraction(value) : value;
  if (typeof value !== "object") return Object.is(value, -0) ? "-0" : String(value);
  if (value instanceof Date) return trimFraction(isoDate(value) ?? "invalid date");
  if (value instanceof Uint8Array) return bytesText(value);
  if (isMicros(value, type)) return trimFraction(isoMicros(value.micros, type));
  return jsonText(value, type);
}

function bytesText(bytes: Uint8Array): string {
  if (bytes.length <= BYTES_SHOWN) return hexText(bytes);
  return `${hexText(bytes.subarray(0, BYTES_SHOWN))}… (${formatBytes(bytes.length)})`;
}

const NUMERIC =
  /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?\d*|DECIMAL|NUMERIC|DOUBLE|FLOAT\d*|REAL|BIGNUM)\b(?!.*\[)/i;

/** Whether a column holds numbers: by its type, or where that is not known by the values shown. */
export function isNumeric(type: string | undefined, values: readonly unknown[]): boolean {
  if (type !== undefined && type !== "") return NUMERIC.test(type);
  const known = values.filter((value) => value !== null && value !== undefined);
  return known.length > 0 && known.every((value) => typeof value === "number" || typeof value === "bigint");
}
