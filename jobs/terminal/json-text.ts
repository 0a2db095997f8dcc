import { isMicros, isoDate, isoMicros } from "./timestamp.ts";

/**
 * A value as compact JSON without loss: integers with all their digits, where `JSON.stringify` refuses bigints;
 * numbers that JSON does not know (NaN, infinities) as strings; bytes as `\x` and hex, as Postgres writes them.
 */
export function jsonText(value: unknown, type = ""): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      return jsonNumber(value);
    case "bigint":
    case "boolean":
      return String(value);
    case "object":
      return value === null ? "null" : jsonObject(value, type);
    default:
      return "null";
  }
}

function jsonNumber(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return Object.is(value, -0) ? "-0" : String(value);
}

function jsonObject(value: object, type: string): string {
  if (value instanceof Date) return jsonText(isoDate(value) ?? null);
  if (value instanceof Uint8Array) return JSON.stringify(hexText(value));
  if (isMicros(value, type)) return JSON.stringify(isoMicros(value.micros, type));
  // The type of a column says nothing of the objects within its values: those are taken as structs.
  if (Array.isArray(value)) return `[${value.map((item) => jsonText(item, "STRUCT")).join(",")}]`;
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  const fields = entries.map(([key, field]) => `${JSON.stringify(String(key))}:${jsonText(field, "STRUCT")}`);
  return `{${fields.join(",")}}`;
}

/** Bytes as Postgres prints them: `\xdeadbeef`. */
export function hexText(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}`;
}
