/** Statistics of data files (PROTOCOL.md, "Per-file Statistics"), from what DuckDB's COPY returns. */
import type { StructType } from "./schema.ts";

/** What COPY … (RETURN_STATS) says of one column of one file; all values are text. */
export type ColumnStatistics = Readonly<Record<string, string>>;

/** Readers expect statistics on the first columns only, by default this many. */
const INDEXED_COLUMNS = 32;
/** Longer texts are left out: an absent bound is always right, a cut one must be rounded up with care. */
const LONGEST_TEXT = 64;

/**
 * The `stats` text of an `add`. Numbers are written digit by digit, for JSON.stringify would round decimals and
 * integers beyond 2^53.
 */
export function statsJson(
  rows: number,
  schema: StructType,
  columns: ReadonlyMap<string, ColumnStatistics>,
): string {
  const mins: string[] = [];
  const maxs: string[] = [];
  const nulls: string[] = [];
  for (const { name, type } of schema.fields.slice(0, INDEXED_COLUMNS)) {
    const column = columns.get(name);
    if (column === undefined || typeof type !== "string") continue;
    const key = JSON.stringify(name);
    const nullCount = column.null_count;
    if (nullCount !== undefined) nulls.push(`${key}:${nullCount}`);
    if (column.has_nan === "true") continue;
    const min = bound(type, column.min);
    const max = bound(type, column.max);
    if (min === undefined || max === undefined) continue;
    mins.push(`${key}:${min}`);
    maxs.push(`${key}:${max}`);
  }
  return `{"numRecords":${rows},"minValues":{${mins.join(",")}},"maxValues":{${maxs.join(",")}},"nullCount":{${nulls.join(",")}}}`;
}

function bound(type: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (type === "string") return value.length <= LONGEST_TEXT ? JSON.stringify(value) : undefined;
  if (type === "date") return /^\d{4}-\d\d-\d\d$/.test(value) ? JSON.stringify(value) : undefined;
  if (type === "timestamp" || type === "timestamp_ntz") return timestampBound(value, type === "timestamp");
  if (type === "boolean" || type === "binary") return undefined;
  // DuckDB may print floats as 1e+20; JSON allows that. What is no number (inf) has no place in JSON.
  return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(value) ? value : undefined;
}

/** Timestamps are cut to milliseconds, as Spark does; a reader that skips adds the lost 999 µs to the maximum. */
function timestampBound(value: string, zoned: boolean): string | undefined {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(\+00)?$/.exec(value);
  if (match === null) return undefined;
  const millis = (match[3] ?? "").padEnd(3, "0").slice(0, 3);
  return JSON.stringify(`${match[1]}T${match[2]}.${millis}${zoned ? "Z" : ""}`);
}
