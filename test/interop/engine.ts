import type { CanonicalRow } from "./canonical-rows.ts";

/** Somebody else's reader of Delta tables in local folders. */
export interface Engine {
  readonly name: string;
  /** Makes a row the same as others that this engine cannot tell from it; not there where it can tell all. */
  readonly blur?: (row: CanonicalRow) => CanonicalRow;
  /** So many versions of a table are compared, for it takes long to read one; all where not there. */
  readonly mostVersions?: number;
  /** Rows of a version, in canonical form and order; of the newest where none is given. */
  read(path: string, version?: number): Promise<readonly CanonicalRow[]>;
  /** The newest version. */
  newest(path: string): Promise<number>;
  /** Rows of the change feed of the versions `from` to `to`, without their `_commit_timestamp`. */
  changes(path: string, from: number, to: number): Promise<readonly CanonicalRow[]>;
}
