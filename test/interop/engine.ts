import type { CanonicalRow } from "./canonical-rows.ts";

/** Rows of a table by version, in canonical form and order. */
export type Versions = Readonly<Record<string, readonly CanonicalRow[]>>;

/** Somebody else's reader of Delta tables in local folders. */
export interface Engine {
  readonly name: string;
  /** Makes a row the same as others that this engine cannot tell from it; not there where it can tell all. */
  readonly blur?: (row: CanonicalRow) => CanonicalRow;
  /** Rows of a version; of the newest where none is given. */
  read(path: string, version?: number): Promise<readonly CanonicalRow[]>;
  /** Rows of every version from `from` (0 where not given) to the newest. */
  versions(path: string, from?: number): Promise<Versions>;
  /** Rows of the change feed of the versions `from` to `to`, without their `_commit_timestamp`. */
  changes(path: string, from: number, to: number): Promise<readonly CanonicalRow[]>;
}
