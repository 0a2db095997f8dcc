/**
 * A column of a binary COPY on its way into a file: the bytes that Postgres sends, turned into those of Parquet, many
 * rows at a time. No value becomes a JavaScript value of its own.
 *
 * Writing the bytes takes more time than making them: some columns begin in a short form (one word of two, the place of
 * a text in a list), and become long, once and for good, with the first value that has no room in it. A file has one
 * form for each column; the group in which one changes begins the next file.
 * Format of the values: Postgres documentation, "COPY", binary format, and the `*_send` functions of its types.
 */

import type { PlainColumn, PlainValues } from "../../../../lakehouse/parquet/plain-parquet.ts";
import type { RowBatch } from "./binary-copy.ts";

/** Thrown for a value that the column has no place for: infinite, before Christ, NaN. */
export class NoPlace extends Error {}

/** How values are written. */
export type Form = Omit<PlainColumn, "name">;

/** What a column of a file is when it is read. */
export interface SpooledColumn {
  /** SQL over the file's column. */
  readonly sql: string;
  /** Of an enumeration: its first and its last text in this file, by their bytes. */
  readonly texts?: { readonly min: string; readonly max: string };
}

/**
 * Entries of a dictionary where many values are expected. More would be smaller for columns with some ten thousand
 * different values, by up to a third, and take longer for all others.
 */
export const FULL_DICTIONARY = 8192;

/** Gathers the values of one column of a row group. */
export abstract class ColumnValues {
  /**
   * How the values that wait are written. It is another one when values have come that the last had no room for: all
   * groups of a file are written in one form.
   */
  abstract readonly plain: Form;
  /** Values that are not null so far. */
  protected count = 0;
  private present: Uint8Array | undefined;
  private rows = 0;

  /** Takes the column of a batch; `first` is the place of its first value in `fields`. */
  take(batch: RowBatch, first: number): void {
    const before = this.count;
    this.takeValues(batch, first);
    const all = this.count - before === batch.rows;
    if (!all || this.present !== undefined) this.mark(batch, first);
    this.rows += batch.rows;
  }

  /** What was gathered; valid until the next `clear`. */
  values(): PlainValues {
    return { values: this.encoded(), present: this.present };
  }

  /**
   * Called at the end of a file: what its column, under this name, is. Values that wait are for the next one, and may
   * have given the column another form already.
   */
  endFile(name: string): SpooledColumn {
    return { sql: name };
  }

  clear(): void {
    this.count = 0;
    this.rows = 0;
    this.present = undefined;
  }

  /** Entries of a dictionary that serves values such as those that wait; 0 where none does. */
  get dictionary(): number {
    return FULL_DICTIONARY;
  }

  /** Forgets the values that wait, and what a file has that nobody gets. */
  reset(): void {
    this.clear();
  }

  /** Bytes that the values fill. */
  abstract get size(): number;
  /** Adds the values that are not null, and their number to `count`. */
  protected abstract takeValues(batch: RowBatch, first: number): void;
  protected abstract encoded(): Uint8Array;

  private mark({ fields, columns, rows }: RowBatch, first: number): void {
    const end = this.rows + rows;
    const present = this.presentUpTo(end);
    for (let row = this.rows, at = first; row < end; row++, at += columns) {
      if ((fields[at] ?? -1) >= 0) present[row >> 3] = (present[row >> 3] ?? 0) | (1 << (row & 7));
    }
  }

  /** The bits, with room for so many rows. All rows before the first null had values. */
  private presentUpTo(rows: number): Uint8Array {
    const bytes = Math.ceil(rows / 8);
    const { present } = this;
    if (present !== undefined && present.length >= bytes) return present;
    const larger = new Uint8Array(Math.max(bytes, (present?.length ?? 2048) * 2));
    if (present !== undefined) larger.set(present);
    else {
      larger.fill(0xff, 0, this.rows >> 3);
      if ((this.rows & 7) > 0) larger[this.rows >> 3] = (1 << (this.rows & 7)) - 1;
    }
    this.present = larger;
    return larger;
  }
}
