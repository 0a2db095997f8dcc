/** What a trace finds: tables, the rows of each that others were made of, where bronze rows came from. */

/** How rows of a table were found. */
export type FoundBy =
  /** The rows that were asked for. */
  | "asked"
  /** By the joins and groups of the SQL: exactly the rows that went into the groups. */
  | "groups"
  /** By the key of the row: all of its changes. */
  | "key"
  /** By columns that the key comes from: rows with equal values; the SQL may read others too. */
  | "lineage"
  /** Nothing tells the rows: the SQL may read all of them. */
  | "table";

/** A change in bronze, and in which commit of the lake it came. */
export interface BronzeOrigin {
  /** `r`, `i`, `u`, `d`, `t` */
  readonly operation: string;
  /** `0/1A2B3C` */
  readonly lsn: string;
  /** ISO 8601; when the source committed it, null for rows that were read. */
  readonly committedAt: string | null;
  readonly ingestedAt: string | null;
  readonly file: string;
  /** Version of the table that brought the file; null where the log does not tell any more. */
  readonly version: number | null;
  /** Whether the file was joined out of others later: the row came in a version before. */
  readonly isJoined: boolean;
}

/** How far the source of a bronze table was taken when the rows were read. */
export interface SourcePosition {
  readonly changes: "query" | "wal";
  readonly lsn: string;
  /** When that was at the source, as it says it; null where only the place in the WAL is known. */
  readonly at: string | null;
}

export interface TracedTable {
  /** `silver.orders` */
  readonly table: string;
  readonly version: number;
  readonly foundBy: FoundBy;
  /** Columns by which rows were found, where they were: `day = day`. */
  readonly by: readonly string[];
  /** All rows that were found. */
  readonly rows: number;
  readonly columns: readonly string[];
  /** Some of the rows, values in the order of `columns`. */
  readonly shown: readonly (readonly unknown[])[];
  /** Of bronze, for each row that is shown. */
  readonly origins?: readonly BronzeOrigin[];
  readonly position?: SourcePosition;
  readonly notes: readonly string[];
  readonly inputs: readonly TracedTable[];
}

/** What consumers see of a gold table in one place. */
export interface PublishedState {
  /** `commerce/daily_revenue` */
  readonly set: string;
  /** Where: `files in …`, Redis's address. */
  readonly target: string;
  /** Version of the gold table that is published; null where none is. */
  readonly version: number | null;
  readonly publishedAt: string | null;
  /** Rows of it that fulfil the conditions, as they are published. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** Why nothing is known; null where it is. */
  readonly error: string | null;
}
