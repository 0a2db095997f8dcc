import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBValue,
} from "@duckdb/node-api";

/**
 * A DuckDB value as plain JavaScript, without loss: numbers up to 32 bits and floats are numbers, 64-bit and wider
 * integers bigints, decimals, dates and times text (timestamps ISO 8601 with microseconds, `Z` where they are
 * instants), blobs bytes, lists arrays, structs and maps objects; keys of maps text, JSON where they are nested, hex
 * where they are bytes.
 */
export function toPlain(value: DuckDBValue): unknown {
  if (value === null || typeof value !== "object") return value;
  if (value instanceof DuckDBDecimalValue || value instanceof DuckDBDateValue) return value.toString();
  if (value instanceof DuckDBTimestampTZValue) return isoInstant(value.micros, "Z");
  if (value instanceof DuckDBTimestampValue) return isoInstant(value.micros, "");
  if (
    value instanceof DuckDBTimestampMillisecondsValue ||
    value instanceof DuckDBTimestampSecondsValue ||
    value instanceof DuckDBTimestampNanosecondsValue
  ) {
    return value.toString().replace(" ", "T");
  }
  if (value instanceof DuckDBBlobValue) return value.bytes;
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(toPlain);
  if (value instanceof DuckDBStructValue) {
    return Object.fromEntries(Object.entries(value.entries).map(([name, v]) => [name, toPlain(v)]));
  }
  if (value instanceof DuckDBMapValue) {
    return Object.fromEntries(value.entries.map((e) => [keyText(toPlain(e.key)), toPlain(e.value)]));
  }
  return String(value);
}

/** The name of a map's entry: different keys have different names. */
function keyText(key: unknown): string {
  if (key instanceof Uint8Array) return Buffer.from(key).toString("hex");
  if (typeof key !== "object" || key === null) return String(key);
  return JSON.stringify(key, (_name, value) => (typeof value === "bigint" ? String(value) : value));
}

const LAST_MICROS = 8_640_000_000_000_000_000n;

/** Microseconds since the epoch as ISO 8601; infinities and instants beyond JavaScript's calendar as DuckDB says. */
function isoInstant(micros: bigint, zone: "Z" | ""): string {
  if (micros > LAST_MICROS || micros < -LAST_MICROS) {
    return new DuckDBTimestampValue(micros).toString();
  }
  const rest = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - rest) / 1000n)).toISOString().slice(0, -5);
  return `${seconds}.${String(rest).padStart(6, "0")}${zone}`;
}
