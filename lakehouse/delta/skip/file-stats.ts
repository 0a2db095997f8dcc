/** Statistics of a data file as bounds that can be trusted (PROTOCOL.md, "Per-file Statistics"). */
import { z } from "zod";
import type { DataType } from "../schema.ts";
import { numberText, parseLossless } from "./lossless-json.ts";
import { parseDate, parseDecimal, parseTimestamp, textValue, type Value } from "./value.ts";

/** The `stats` of an `add`, parsed; values are read with {@link bounds} and {@link nullCount}. */
export interface FileStats {
  /** Rows in the data file, deleted ones included; undefined where the statistics do not say. */
  readonly numRecords: number | undefined;
  /** Bounds may be wider than the rows that are left: rows were deleted since they were taken. */
  readonly wide: boolean;
  readonly minValues: unknown;
  readonly maxValues: unknown;
  readonly nullCount: unknown;
}

const statsSchema = z.object({
  numRecords: z.number().int().nonnegative().nullish(),
  tightBounds: z.boolean().nullish(),
  minValues: z.unknown().optional(),
  maxValues: z.unknown().optional(),
  nullCount: z.unknown().optional(),
});

/** Parses the `stats` text of an `add`. Absent or broken statistics say nothing, which is always right. */
export function parseFileStats(text: string | undefined): FileStats {
  const { numRecords, tightBounds, minValues, maxValues, nullCount } = statsOf(text);
  return {
    numRecords: numRecords ?? undefined,
    wide: tightBounds === false,
    minValues,
    maxValues,
    nullCount,
  };
}

function statsOf(text: string | undefined): Partial<z.infer<typeof statsSchema>> {
  if (text === undefined) return {};
  try {
    return statsSchema.safeParse(parseLossless(text)).data ?? {};
  } catch {
    return {};
  }
}

/** Which kinds of rows a column has, as far as the count of its nulls says. */
export function nullCount(
  stats: FileStats,
  physicalPath: readonly string[],
): { readonly mayBeNull: boolean; readonly mayBeValue: boolean } {
  const count = at(stats.nullCount, physicalPath);
  // Only these two counts mean something for wide statistics, and no other is of use.
  return {
    mayBeNull: count !== 0,
    mayBeValue: typeof count !== "number" || count !== stats.numRecords,
  };
}

/**
 * The least and the greatest value that the column may have in this file, apart from null and NaN; undefined where
 * the statistics do not tell.
 */
export function bounds(
  stats: FileStats,
  physicalPath: readonly string[],
  type: DataType,
): { readonly min: Value | undefined; readonly max: Value | undefined } {
  if (typeof type !== "string") return { min: undefined, max: undefined };
  const min = parseBound(at(stats.minValues, physicalPath), type);
  const max = parseBound(at(stats.maxValues, physicalPath), type);
  return { min, max: max && upperBound(max, type) };
}

function at(tree: unknown, path: readonly string[]): unknown {
  let node = tree;
  for (const name of path) {
    if (typeof node !== "object" || node === null || !Object.hasOwn(node, name)) return undefined;
    node = (node as Record<string, unknown>)[name];
  }
  return node;
}

const OFFSET = /(?:Z|[+-]\d\d:?\d\d)$/;

function parseBound(value: unknown, type: string): Value | undefined {
  if (typeof value === "boolean") return type === "boolean" ? { kind: "boolean", value } : undefined;
  if (typeof value !== "string") return parseNumber(numberText(value), type);
  switch (type) {
    case "string":
      return textValue(value);
    case "date":
      return parseDate(value);
    case "timestamp":
      // Without an offset nobody knows whose clock it was.
      return OFFSET.test(value) ? parseTimestamp(value) : undefined;
    case "timestamp_ntz":
      return OFFSET.test(value) ? undefined : parseTimestamp(value);
    default:
      return undefined;
  }
}

const EXACT_NUMBER = /^(?:byte|short|integer|long|decimal\(.*\))$/;

function parseNumber(text: string | undefined, type: string): Value | undefined {
  if (text === undefined) return undefined;
  if (EXACT_NUMBER.test(type)) return parseDecimal(text);
  if (type !== "float" && type !== "double") return undefined;
  const number = type === "float" ? Math.fround(Number(text)) : Number(text);
  return Number.isFinite(number) ? { kind: "float", value: number } : undefined;
}

/** Shortest prefix that writers cut texts to. */
const CUT_TEXT = 32;
const LAST_CHARACTER = "\u{10FFFF}";

/** A maximum, with what its writer may have cut off added back. */
function upperBound(max: Value, type: string): Value {
  // Timestamps are truncated down to milliseconds.
  if (max.kind === "time" && type !== "date") return { kind: "time", micros: max.micros + 999n };
  // The protocol only says that texts are cut, not that the cut one is made greater again, as Spark does.
  if (max.kind === "text" && max.value.length >= CUT_TEXT) {
    return { kind: "text", value: max.value + LAST_CHARACTER };
  }
  return max;
}
