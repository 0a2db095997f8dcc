/** What a capture works with. */
import type pg from "pg";
import type { Lake } from "../../../lakehouse/lake.ts";
import type { ProgressListener } from "../../../lakehouse/progress.ts";
import type { StreamSelection } from "../postgres/replication/stream-parameters.ts";
import type { CapturedTable, Shape } from "./captured-table.ts";

/** When a batch is committed: with the first transaction that reaches one of these. */
export interface BatchLimits {
  readonly rows: number;
  /** Also the size from which on the rows of one transaction are staged before its end. */
  readonly bytes: number;
  /** Milliseconds since the batch's first transaction arrived. */
  readonly milliseconds: number;
}

export interface CaptureOptions {
  readonly lake: Lake;
  readonly connectionString: string;
  readonly slot: string;
  readonly publications: readonly string[];
  readonly tables: readonly CapturedTable[];
  /** Where logical messages go; without it they are passed over. */
  readonly messages?: Captured;
  /** What the stream is asked for beside the publications. */
  readonly selection?: StreamSelection;
  /** For questions to the catalogue while the stream goes on. */
  readonly client: pg.Client;
  /** A transaction id, 64 bits, of about now: ids in the stream have only the lower half. */
  readonly currentXid: bigint;
  readonly limits: BatchLimits;
  readonly concurrency: number;
  readonly onProgress: ProgressListener;
  /** Told of each batch once it is durable and acknowledged. */
  readonly onCommitted?: (batch: { readonly rows: number; readonly endLsn: number }) => void;
  /** Told that a table's columns changed in a way that calls for a comparison with the source. */
  readonly onUnchecked?: () => void;
}

/** A table and the shape in which its rows come. */
export interface Captured {
  readonly table: CapturedTable;
  readonly shape: Shape;
}

/** Rows and bytes that went into a table. */
export interface TableCount {
  rows: number;
  deleted: number;
  bytes: number;
}
