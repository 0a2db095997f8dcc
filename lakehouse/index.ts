/** Tables and what they need: the kernel's public face. Inner files never import this one. */
export type { AddFile, CommitInfo, DomainMetadata, SetTransaction } from "./delta/actions.ts";
export type { Alteration } from "./delta/alter-columns.ts";
export type { AppendOptions, WriteResult } from "./delta/change/append.ts";
export type {
  InsertClause,
  MergeResult,
  MergeSpec,
  MergeValues,
  RowClause,
} from "./delta/change/merge-spec.ts";
export type { CommitOutcome } from "./delta/commit.ts";
export { type Scannable, scannable, scanSql } from "./delta/scan.ts";
export { type DataType, field, type StructField, type StructType } from "./delta/schema.ts";
export type { Snapshot } from "./delta/snapshot.ts";
export type { Source } from "./delta/source.ts";
export { DeltaTable, type HistoryEntry, type TableOptions, type Write } from "./delta/table.ts";
export { DuckDb, type DuckDbSettings, type Session } from "./duckdb/duckdb.ts";
export { IngotError, TerminalError, TransientError } from "./errors.ts";
export { Lake, openStore, type TablePath } from "./lake.ts";
export type { ProgressEvent, ProgressListener } from "./progress.ts";
export { LocalStore } from "./store/local.ts";
export { MemoryStore } from "./store/memory.ts";
export { type S3Options, S3Store } from "./store/s3.ts";
export type { ObjectStore, StoredObject } from "./store/store.ts";
export type { MergeBuilder } from "./table/merge-builder.ts";
export {
  type Address,
  type CreateTableOptions,
  createTable,
  type OpenOptions,
  openTable,
} from "./table/open.ts";
export type { Scan, ScanOptions, TableSnapshot } from "./table/snapshot.ts";
export type { AsOf, PlainRow, Rows, Table } from "./table/table.ts";
export type { Transaction } from "./table/transaction.ts";
