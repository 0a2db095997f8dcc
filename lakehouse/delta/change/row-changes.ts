import type { AddFile } from "../actions.ts";
import type { Snapshot } from "../snapshot.ts";

/** Rows that an operation found, as relations of its workspace. */
export interface RowChanges {
  /** The files that `touched` refers to by index. */
  readonly files: readonly AddFile[];
  /** Columns `FILE`, `ROW`, `KIND`. */
  readonly touched: string;
  /** The touched rows as they were, where the operation has them at hand: the columns of the table and `KIND`. */
  readonly former?: string;
  /** New rows: the columns of `after` and `KIND`; undefined where the operation writes none. */
  readonly written: string | undefined;
  /** Files with more new rows, in the columns of `after`, which the same commit adds by other means. */
  readonly added?: readonly AddFile[];
  /** The table as the commit leaves it. */
  readonly after: Pick<Snapshot, "metadata" | "schema">;
}
