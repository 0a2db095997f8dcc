/** Statistics of data files (PROTOCOL.md, "Per-file Statistics"), from what DuckDB's COPY returns. */
import type { AddFile } from "./actions.ts";
import { dataFields, type Layout, nameInFiles } from "./layout.ts";
import { parseFileStats } from "./skip/file-stats.ts";
import { parseLossless, stringifyLossless } from "./skip/lossless-json.ts";

/** What COPY … (RETURN_STATS) says of one column of one file; all values are text. */
export type ColumnStatistics = Readonly<Record<string, string>>;

/** Longer texts are left out: an absent bound is always right, a cut one must be rounded up with care. */
const LONGEST_TEXT = 64;

/**
 * The `stats` text of an `add`. Numbers are written digit by digit, for JSON.stringify would round decimals and
 * integers beyond 2^53.
 */
export function statsJson(
  rows: number,
  layout: Layout,
  columns: ReadonlyMap<string, ColumnStatistics>,
): string {
  const mins: string[] = [];
  const maxs: string[] = [];
  const nulls: string[] = [];
  for (const f of dataFields(layout).slice(0, layout.indexedColumns)) {
    const { type } = f;
    const column = columns.get(f.name);
    if (column === undefined || typeof type !== "string") continue;
    const key = JSON.stringify(nameInFiles(layout, f));
    const nullCount = column.null_count;
    if (nullCount !== undefined) nulls.push(`${key}:${nullCount}`);
    if (column.has_nan === "true") continue;
    const min = bound(type, column.min);
    const max = bound(type, column.max);
    if (min === undefined || max === undefined) continue;
    // Zero has two signs, which some readers order: the bounds must include both.
    const isFloat = type === "float" || type === "double";
    mins.push(`${key}:${isFloat && Number(min) === 0 ? "-0.0" : min}`);
    maxs.push(`${key}:${isFloat && Number(max) === 0 ? "0.0" : max}`);
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

/** Rows in the data file, deleted ones among them; undefined where its statistics do not say. */
export function rowCount(file: AddFile): number | undefined {
  return parseFileStats(file.stats).numRecords;
}

/** Live rows of these files by their statistics; files that have none count as empty. */
export function countRows(files: Iterable<AddFile>): number {
  let rows = 0;
  for (const file of files)
    rows += Math.max(0, (rowCount(file) ?? 0) - (file.deletionVector?.cardinality ?? 0));
  return rows;
}

/** Statistics of a file that gets a deletion vector: the bounds still hold, but need no longer be met by a row. */
export function looseBounds({ stats }: Pick<AddFile, "stats">): { readonly stats?: string } {
  if (stats === undefined) return {};
  const parsed = parseLossless(stats);
  return { stats: stringifyLossless({ ...(typeof parsed === "object" ? parsed : {}), tightBounds: false }) };
}

/** Whether a column of integers has one value only in all of these files; false where the statistics do not tell. */
export function holdsOneValue(files: Iterable<AddFile>, column: string): boolean {
  const values = new Set<unknown>();
  for (const file of files) {
    const { minValues, maxValues } = parseFileStats(file.stats);
    const [min, max] = [minValues, maxValues].map((values) => boundOf(values, column));
    // Beyond 2^53 neighbours look alike.
    if (typeof min !== "number" || !Number.isSafeInteger(min) || min !== max) return false;
    values.add(min);
  }
  return values.size <= 1;
}

/** The upper bound of a column of integers in a file; undefined where its statistics do not tell. */
export function greatestValue(file: AddFile, column: string): number | undefined {
  const max = boundOf(parseFileStats(file.stats).maxValues, column);
  return typeof max === "number" && Number.isSafeInteger(max) ? max : undefined;
}

function boundOf(values: unknown, column: string): unknown {
  if (typeof values !== "object" || values === null) return undefined;
  return Object.entries(values).find(([name]) => name === column)?.[1];
}
