/** Predicates over a whole file at once: which of true, false and null some row of it may give. */
import type { AddFile } from "../actions.ts";
import { type ColumnRange, columnRange } from "./column-range.ts";
import { type FileStats, parseFileStats } from "./file-stats.ts";
import type { ColumnPath, ComparisonOperator, Predicate } from "./predicate.ts";
import type { TableInfo } from "./table-info.ts";
import { compareValues, type Ordering, type Value } from "./value.ts";

/** What is read of a file. */
export type SkippableFile = Pick<AddFile, "partitionValues" | "stats" | "deletionVector">;

type Truth = boolean | null;
/** A superset of the results that the rows of a file give. */
type Results = ReadonlySet<Truth>;
type RangeOf = (column: ColumnPath) => ColumnRange;

const ALL: Results = new Set([true, false, null]);

/** Whether some row of the file may satisfy the predicate; false only where certainly none does. */
export function mayMatch(predicate: Predicate, file: SkippableFile, table: TableInfo): boolean {
  const stats = parseFileStats(file.stats);
  if (hasNoRows(stats, file)) return false;
  return results(predicate, (column) => columnRange(table, file, stats, column)).has(true);
}

/**
 * Whether every row of the file certainly satisfies the predicate, so that the file can be removed whole without
 * reading it. Wide statistics are not used for this.
 */
export function allMatch(predicate: Predicate, file: SkippableFile, table: TableInfo): boolean {
  const parsed = parseFileStats(file.stats);
  const stats = parsed.wide ? parseFileStats(undefined) : parsed;
  const found = results(predicate, (column) => columnRange(table, file, stats, column));
  return found.size === 1 && found.has(true);
}

/** Whether the file certainly has no rows left: it was written empty, or all of its rows are deleted. */
export function noRowsPossible(file: SkippableFile): boolean {
  return hasNoRows(parseFileStats(file.stats), file);
}

function hasNoRows({ numRecords }: FileStats, file: SkippableFile): boolean {
  return numRecords !== undefined && numRecords <= (file.deletionVector?.cardinality ?? 0);
}

function results(predicate: Predicate, rangeOf: RangeOf): Results {
  switch (predicate.kind) {
    case "constant":
      return new Set([predicate.value]);
    case "unknown":
      return ALL;
    case "comparison":
      return compared(predicate.operator, rangeOf(predicate.column), predicate.value);
    case "isDistinct":
      return distinct(rangeOf(predicate.column), predicate.value);
    case "isNull":
      return nullness(rangeOf(predicate.column));
    case "in":
      return contained(rangeOf(predicate.column), predicate.values);
    case "startsWith":
      return prefixed(rangeOf(predicate.column), predicate.prefix);
    case "not":
      return new Set([...results(predicate.child, rangeOf)].map((truth) => (truth === null ? null : !truth)));
    case "and":
      return predicate.children.reduce<Results>(
        (left, child) => combined(left, results(child, rangeOf), false),
        new Set([true]),
      );
    case "or":
      return predicate.children.reduce<Results>(
        (left, child) => combined(left, results(child, rangeOf), true),
        new Set([false]),
      );
  }
}

/** Every pair of results joined: `decisive` is what decides alone, false for AND and true for OR. */
function combined(left: Results, right: Results, decisive: boolean): Results {
  const joined = (a: Truth, b: Truth): Truth => {
    if (a === decisive || b === decisive) return decisive;
    return a === null || b === null ? null : !decisive;
  };
  return new Set([...left].flatMap((a) => [...right].map((b) => joined(a, b))));
}

/** How the column's values, apart from null, may lie to a value. */
function orderings(range: ColumnRange, value: Value): ReadonlySet<Ordering> {
  const found = new Set<Ordering>();
  if (range.mayBeNaN) {
    // NaN is the greatest of floats; beside another kind of value nothing is known.
    for (const ordering of nanOrderings(value)) found.add(ordering);
  }
  if (!range.mayBeValue) return found;
  if (value.kind === "float" && Number.isNaN(value.value)) return found.add(-1);
  const fromMin = range.min && compareValues(range.min, value);
  const fromMax = range.max && compareValues(range.max, value);
  if (fromMin === undefined || fromMin < 0) found.add(-1);
  if (fromMax === undefined || fromMax > 0) found.add(1);
  if ((fromMin ?? -1) <= 0 && (fromMax ?? 1) >= 0) found.add(0);
  return found;
}

function nanOrderings(value: Value): readonly Ordering[] {
  if (value.kind !== "float") return [-1, 0, 1];
  return Number.isNaN(value.value) ? [0] : [1];
}

const HOLDS: Readonly<Record<ComparisonOperator, (ordering: Ordering) => boolean>> = {
  "=": (ordering) => ordering === 0,
  "<>": (ordering) => ordering !== 0,
  "<": (ordering) => ordering < 0,
  "<=": (ordering) => ordering <= 0,
  ">": (ordering) => ordering > 0,
  ">=": (ordering) => ordering >= 0,
};

function compared(operator: ComparisonOperator, range: ColumnRange, value: Value | null): Results {
  if (value === null) return new Set([null]);
  const found = new Set<Truth>([...orderings(range, value)].map(HOLDS[operator]));
  return range.mayBeNull ? found.add(null) : found;
}

function distinct(range: ColumnRange, value: Value | null): Results {
  if (value === null) return new Set([...nullness(range)].map((isNull) => !isNull));
  const found = new Set<Truth>([...orderings(range, value)].map(HOLDS["<>"]));
  return range.mayBeNull ? found.add(true) : found;
}

function nullness(range: ColumnRange): Results {
  const found = new Set<Truth>();
  if (range.mayBeNull) found.add(true);
  if (range.mayBeValue || range.mayBeNaN) found.add(false);
  return found;
}

function contained(range: ColumnRange, values: readonly (Value | null)[]): Results {
  const found = new Set<Truth>(range.mayBeNull ? [null] : []);
  let mayMiss = range.mayBeValue || range.mayBeNaN;
  for (const value of values) {
    if (value === null) continue;
    const ordered = orderings(range, value);
    if (ordered.has(0)) found.add(true);
    if (ordered.size === 1 && ordered.has(0)) mayMiss = false;
  }
  if (mayMiss) found.add(values.includes(null) ? null : false);
  return found;
}

function prefixed(range: ColumnRange, prefix: string): Results {
  if (range.mayBeNaN) return ALL;
  const found = new Set<Truth>(range.mayBeNull ? [null] : []);
  if (!range.mayBeValue) return found;
  const { min, max } = range;
  if ((min && min.kind !== "text") || (max && max.kind !== "text")) return ALL;
  const least: Value = { kind: "text", value: prefix };
  const minHas = min?.value.startsWith(prefix) ?? false;
  // Texts with the prefix lie side by side: the bounds hold some if they do not lie on one side of them all.
  const minBelow = min === undefined || minHas || compareValues(min, least) === -1;
  const maxAbove = max === undefined || compareValues(max, least) !== -1;
  if (minBelow && maxAbove) found.add(true);
  if (!(minHas && max?.value.startsWith(prefix))) found.add(false);
  return found;
}
