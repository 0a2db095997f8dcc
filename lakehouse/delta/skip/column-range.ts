/** What one column may hold in the rows of one file. */
import type { AddFile } from "../actions.ts";
import { bounds, type FileStats, nullCount } from "./file-stats.ts";
import { decodePartitionValue } from "./partition-value.ts";
import type { ColumnPath } from "./predicate.ts";
import { columnAt, type TableInfo } from "./table-info.ts";
import type { Value } from "./value.ts";

/** A superset of the values of a column: null, NaN, and what lies between the bounds, as far as they may occur. */
export interface ColumnRange {
  readonly mayBeNull: boolean;
  readonly mayBeNaN: boolean;
  /** Whether there may be values other than null and NaN. */
  readonly mayBeValue: boolean;
  /** All values but null and NaN are at least this. */
  readonly min: Value | undefined;
  readonly max: Value | undefined;
}

/** A column that nothing is known of. */
const ANYTHING: ColumnRange = {
  mayBeNull: true,
  mayBeNaN: true,
  mayBeValue: true,
  min: undefined,
  max: undefined,
};

/** The range of a column by the partition values and the statistics of a file. */
export function columnRange(
  table: TableInfo,
  file: Pick<AddFile, "partitionValues">,
  stats: FileStats,
  path: ColumnPath,
): ColumnRange {
  const column = columnAt(table.schema, path);
  // Nested values carry no statistics of their own.
  if (column === undefined || typeof column.type !== "string") return ANYTHING;
  const physical = table.physicalPath(column.path);
  if (column.path.length === 1 && table.partitionColumns.includes(column.path[0] ?? "")) {
    return partitionRange(file.partitionValues, physical[0] ?? "", column.type);
  }
  const nulls = nullCount(stats, physical);
  const isFloat = column.type === "float" || column.type === "double";
  // A float's text names another double than the float itself: a widened column's bounds cannot be read.
  const range =
    isFloat && column.wasWidened ? { min: undefined, max: undefined } : bounds(stats, physical, column.type);
  // No bound includes NaN, which has no place in JSON.
  return { ...nulls, ...range, mayBeNaN: isFloat && nulls.mayBeValue };
}

function partitionRange(
  values: Readonly<Record<string, string | null>>,
  name: string,
  type: string,
): ColumnRange {
  const text = Object.hasOwn(values, name) ? values[name] : undefined;
  const value = text === undefined ? undefined : decodePartitionValue(text, type);
  if (value === undefined) return ANYTHING;
  if (value === null) return { ...ANYTHING, mayBeNaN: false, mayBeValue: false };
  const isNotNumber = value.kind === "float" && Number.isNaN(value.value);
  return { mayBeNull: false, mayBeNaN: isNotNumber, mayBeValue: !isNotNumber, min: value, max: value };
}
