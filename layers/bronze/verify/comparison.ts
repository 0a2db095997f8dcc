/** What the parts of a comparison hand to each other. */
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { META } from "../../definition/bronze-columns.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import type { ColumnComparison } from "./compared-columns.ts";
import type { RangeColumn } from "./key-order.ts";
import type { KeyRange } from "./ranges.ts";
import type { SourceReaders } from "./source-readers.ts";

/** One table whose two sides are compared at one moment. */
export interface Comparison {
  /** `bronze.orders` */
  readonly task: string;
  readonly table: TableDescription;
  readonly target: DeltaTable;
  /** The version of bronze that is compared. */
  readonly base: Snapshot;
  /** SQL of the changes that bronze had at the moment. */
  readonly changes: string;
  readonly columns: ColumnComparison;
  /** Its tables hold what was found: `differences`, and on the way `lake_rows`, `bounds`, `lake_part`, `source_part`. */
  readonly session: Session;
  readonly readers: SourceReaders;
  readonly rangeRows: number;
  /** Rows of the source that were compared so far. */
  readonly onRows: (rows: number, totalRows: number) => void;
}

/** Columns of `differences` beside the source's: what became of the row, and the place of its range. */
export const KIND = "_ingot_kind";
export const PLACE = "_ingot_place";

/** A range, compared by counts and sums. */
export interface ComparedRange {
  readonly range: KeyRange;
  readonly sourceRows: number;
  readonly lakeRows: number;
  /** Buckets that differ; `all` where they are too many to be read one by one. Empty where the range agrees. */
  readonly buckets: readonly number[] | "all";
}

/** A table, compared by counts and sums. */
export interface ComparedRanges {
  readonly column: RangeColumn | undefined;
  /** Buckets of each range. */
  readonly buckets: number;
  /** In the order of their keys; together they hold all rows. */
  readonly ranges: readonly ComparedRange[];
}

/** Condition on bronze's changes: those that belong before a place of the WAL, and rows that were read there. */
export const upTo = (lsn: number): string =>
  `(${META.lsn} < ${lsn} OR (${META.lsn} = ${lsn} AND ${META.sequence} = 0))`;
