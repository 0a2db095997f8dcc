/** A table as programs use it. */
import type { AnyContract } from "../../schemas/table.ts";
import type { SetTransaction } from "../delta/actions.ts";
import { alterTable } from "../delta/alter.ts";
import type { Alteration } from "../delta/alter-columns.ts";
import { type AppendOptions, appendRows, type WriteResult } from "../delta/change/append.ts";
import { changeFeedSql } from "../delta/change/change-feed.ts";
import { type DeleteResult, deleteRows } from "../delta/change/delete.ts";
import { type OverwriteOptions, overwriteRows } from "../delta/change/overwrite.ts";
import { type Assignments, type UpdateResult, updateRows } from "../delta/change/update.ts";
import type { Source } from "../delta/source.ts";
import type { DeltaTable, HistoryEntry } from "../delta/table.ts";
import { toContractRow } from "./contract-schema.ts";
import { MergeBuilder } from "./merge-builder.ts";
import { Scan, TableSnapshot } from "./snapshot.ts";
import { Transaction } from "./transaction.ts";

/**
 * A row without contract: numbers up to 32 bits and floats as numbers, 64-bit integers as bigints, decimals, dates
 * and timestamps as text, binary as bytes, lists as arrays, structs and maps as objects.
 */
export type PlainRow = Readonly<Record<string, unknown>>;

/** Rows to write: plain objects, DuckDB SQL, or SQL in a session of the caller's. */
export type Rows<Row> =
  | { readonly rows: readonly Partial<Row>[] }
  | Exclude<Source, { readonly rows: unknown }>;

/** Which version a reader asks for: by number, or the newest at or before an instant. */
export interface AsOf {
  readonly version?: number;
  readonly timestamp?: Date;
}

export class Table<Row extends object = PlainRow> {
  /** The table as the kernel has it, for what is not offered here. */
  readonly kernel: DeltaTable;
  private readonly contract: AnyContract | undefined;
  private readonly onClose: () => void;

  constructor(kernel: DeltaTable, contract: AnyContract | undefined, onClose: () => void) {
    this.kernel = kernel;
    this.contract = contract;
    this.onClose = onClose;
  }

  /** One version, unchanging; the newest by default. */
  async snapshot(asOf: AsOf = {}): Promise<TableSnapshot<Row>> {
    return new TableSnapshot<Row>(this.kernel, await this.kernel.at(asOf), this.toRow);
  }

  /** Adds rows. With `transaction`, rows that were added under it before are not added again. */
  append(rows: Rows<Row>, options?: AppendOptions): Promise<WriteResult> {
    return appendRows(this.kernel, rows, options);
  }

  /** Replaces all rows, or with `where` those that fulfil it. */
  overwrite(rows: Rows<Row>, options?: OverwriteOptions): Promise<WriteResult> {
    return overwriteRows(this.kernel, rows, options);
  }

  /** Deletes the rows for which the SQL condition is true; all without one. */
  delete(where?: string): Promise<DeleteResult> {
    return deleteRows(this.kernel, where);
  }

  /** Sets columns to SQL expressions over the row, where the condition is true. */
  update(set: Assignments, where?: string): Promise<UpdateResult> {
    return updateRows(this.kernel, set, where);
  }

  /** Begins a merge on a condition over `target` and `source`. */
  merge(source: Rows<Row>, on: string): MergeBuilder {
    return new MergeBuilder(this.kernel, { source, on });
  }

  /** Changes columns, properties or constraints in one commit; resolves to the new version. */
  alter(...alterations: readonly Alteration[]): Promise<number> {
    return alterTable(this.kernel, ...alterations);
  }

  /** Several writes as one commit, decided on the newest version. */
  async transaction(): Promise<Transaction> {
    return new Transaction(this.kernel, await this.kernel.existingSnapshot());
  }

  /** What changed in the versions `from` to `to`, both included; see `changeFeedSql` for the columns. */
  async changes(from: number, to?: number): Promise<Scan<PlainRow>> {
    const end = to ?? (await this.kernel.existingSnapshot()).version;
    return new Scan(this.kernel, await changeFeedSql(this.kernel, from, end), (row) => row);
  }

  history(limit?: number): Promise<HistoryEntry[]> {
    return this.kernel.history(limit);
  }

  /** The newest version that an application has recorded with its rows. */
  async recorded(appId: string): Promise<SetTransaction | undefined> {
    return (await this.kernel.existingSnapshot()).transactions.get(appId);
  }

  /** Lets go of the engine that the table opened for itself. */
  close(): void {
    this.onClose();
  }

  private readonly toRow = (row: PlainRow): Row =>
    (this.contract === undefined ? row : toContractRow(row, this.contract)) as Row;
}
