/** What a merge is asked to do. */
import type { Source } from "../source.ts";
import type { Assignments } from "./update.ts";

/** New values by column, as SQL over `target` and `source`; `all`: each column of the source into its namesake. */
export type MergeValues = Assignments | "all";

/** What becomes of a row of the table; the first clause whose `when` is true decides, none leaves the row alone. */
export type RowClause =
  | { readonly when?: string; readonly update: MergeValues }
  | { readonly when?: string; readonly delete: true };

/** What becomes of a row of the source that no row of the table matches. */
export interface InsertClause {
  readonly when?: string;
  /** Columns that are not named become NULL. */
  readonly insert: MergeValues;
}

export interface MergeSpec {
  readonly source: Source;
  /** Condition over `target` and `source` under which two rows match. */
  readonly on: string;
  readonly matched?: readonly RowClause[];
  readonly notMatched?: readonly InsertClause[];
  /** Rows of the table that no row of the source matches; conditions and values over `target` alone. */
  readonly notMatchedBySource?: readonly RowClause[];
  /** Columns of the source that the table does not have are added to it, by `all` clauses. */
  readonly evolveSchema?: boolean;
}

export interface MergeResult {
  /** Undefined where nothing had to change. */
  readonly version: number | undefined;
  readonly updatedRows: number;
  readonly deletedRows: number;
  readonly insertedRows: number;
}
