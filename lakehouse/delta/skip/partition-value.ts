/** Values of partition columns as text (PROTOCOL.md, "Partition Value Serialization"). */
import { TerminalError } from "../../errors.ts";
import { decimalText, parseDate, parseDecimal, parseTimestamp, textValue, type Value } from "./value.ts";

/** What Hive writes for null in the names of folders; in the log it may be a leftover or a text. */
const HIVE_NULL = "__HIVE_DEFAULT_PARTITION__";

/**
 * The value that a partition text of the log stands for in a column of this Delta type. Null and the empty text are
 * null. Undefined where the text cannot be told: it is damaged, or of a type that does not partition. Timestamps
 * without an offset are taken as UTC, the time zone that tables are read in.
 */
export function decodePartitionValue(text: string | null, type: string): Value | null | undefined {
  if (text === null || text === "") return null;
  if (text === HIVE_NULL) return undefined;
  switch (type) {
    case "string":
      return textValue(text);
    case "boolean":
      return decodeBoolean(text);
    case "date":
      return parseDate(text);
    case "timestamp":
    case "timestamp_ntz":
      return parseTimestamp(text);
    case "float":
    case "double":
      return decodeFloat(text, type);
    case "binary":
      return decodeBinary(text);
    default:
      return EXACT_NUMBER.test(type) ? decodeExact(text, type) : undefined;
  }
}

/**
 * The protocol's text for a value of a column of this Delta type: the text of the log's `partitionValues`. Null and
 * the empty text are null there. Instants are written as ISO 8601 in UTC, as the protocol recommends.
 *
 * @throws TerminalError DELTA_BAD_PARTITION_VALUE where the type cannot hold the value.
 */
export function encodePartitionValue(value: Value | null, type: string): string | null {
  if (value === null) return null;
  const text = encoded(value, type);
  // Reading it back is the proof that the type holds it.
  if (text === undefined || (text !== "" && decodePartitionValue(text, type) === undefined)) {
    throw new TerminalError(`a partition column of type ${type} cannot hold this value`, {
      code: "DELTA_BAD_PARTITION_VALUE",
      value: "value" in value ? String(value.value) : (text ?? value.kind),
      allowed: `a value of type ${type}`,
    });
  }
  return text === "" ? null : text;
}

const EXACT_NUMBER = /^(?:byte|short|integer|long|decimal\((\d+),\s*(\d+)\))$/;
const INTEGER_BITS: Readonly<Record<string, number>> = { byte: 8, short: 16, integer: 32, long: 64 };

/** Refuses what does not fit: reading would fail, or round it to another value. */
function decodeExact(text: string, type: string): Value | undefined {
  const number = parseDecimal(text);
  if (number?.kind !== "decimal") return undefined;
  const [, precision = "0", digits = "0"] = EXACT_NUMBER.exec(type) ?? [];
  const scale = Number(digits);
  if (number.scale > scale && number.unscaled % 10n ** BigInt(number.scale - scale) !== 0n) return undefined;
  const factor = scale - number.scale;
  const unscaled =
    factor >= 0 ? number.unscaled * 10n ** BigInt(factor) : number.unscaled / 10n ** BigInt(-factor);
  const bits = INTEGER_BITS[type];
  const fits =
    bits === undefined
      ? (unscaled < 0n ? -unscaled : unscaled) < 10n ** BigInt(precision)
      : BigInt.asIntN(bits, unscaled) === unscaled;
  return fits ? { kind: "decimal", unscaled, scale } : undefined;
}

function decodeBoolean(text: string): Value | undefined {
  const value = text.toLowerCase();
  return value === "true" || value === "false" ? { kind: "boolean", value: value === "true" } : undefined;
}

const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

function decodeFloat(text: string, type: string): Value | undefined {
  if (/^nan$/i.test(text)) return { kind: "float", value: Number.NaN };
  const infinite = INFINITE.exec(text);
  if (infinite !== null) {
    return {
      kind: "float",
      value: infinite[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY,
    };
  }
  const number = FLOAT.test(text) ? Number(text) : Number.NaN;
  const value = type === "float" ? Math.fround(number) : number;
  return Number.isFinite(value) ? { kind: "float", value } : undefined;
}

/** One character a byte, as `\u0001` is in JSON. */
function decodeBinary(text: string): Value | undefined {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 255) return undefined;
  return { kind: "binary", value: Buffer.from(text, "latin1") };
}

function encoded(value: Value, type: string): string | undefined {
  switch (value.kind) {
    case "text":
      return type === "string" ? value.value : undefined;
    case "boolean":
      return type === "boolean" ? String(value.value) : undefined;
    case "decimal":
      return EXACT_NUMBER.test(type) ? decimalText(value.unscaled, value.scale) : undefined;
    case "float":
      return floatText(value.value, type);
    case "binary":
      return type === "binary" ? Buffer.from(value.value).toString("latin1") : undefined;
    case "time":
      return timeText(value.micros, type);
  }
}

function floatText(value: number, type: string): string | undefined {
  if (type !== "double" && type !== "float") return undefined;
  if (type === "float" && !Object.is(Math.fround(value), value)) return undefined;
  return Object.is(value, -0) ? "-0.0" : String(value);
}

const MICROS_PER_DAY = 86_400_000_000n;

function timeText(micros: bigint, type: string): string | undefined {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const millis = Number((micros - fraction) / 1000n);
  const year = new Date(millis).getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) return undefined;
  const seconds = new Date(millis).toISOString().slice(0, 19);
  if (type === "date") return micros % MICROS_PER_DAY === 0n ? seconds.slice(0, 10) : undefined;
  const text = `${seconds}.${String(fraction).padStart(6, "0")}`;
  if (type === "timestamp") return `${text}Z`;
  return type === "timestamp_ntz" ? text.replace("T", " ") : undefined;
}
