/**
 * Columns of values of one or two 32-bit words: integers, floats, dates, timestamps. Their loops are alike and each
 * written out, so that none calls a function for every value.
 */
import type { RowBatch } from "./binary-copy.ts";
import { ColumnValues, FULL_DICTIONARY, NoPlace } from "./column-values.ts";
import { withRoom } from "./with-room.ts";

/** Values that are looked at; the share of different ones beyond which a dictionary is not tried. */
const [SAMPLE, MOSTLY] = [1024, 0.93];
/** Entries of a dictionary where the sample has half as many. */
const FEW = 512;
const [INT32, INT64] = [{ physical: "int32" }, { physical: "int64" }] as const;

/** Values as words, the low one of two first. */
export abstract class WordValues extends ColumnValues {
  private words = new Int32Array(4096);
  /** Words of a value. */
  protected width: 1 | 2;

  constructor(width: 1 | 2) {
    super();
    this.width = width;
  }

  get size(): number {
    return this.count * this.width * 4;
  }

  /** By a sample: where nearly all of it differ, the time to look for values that come again is lost. */
  override get dictionary(): number {
    const { words, width } = this;
    const sample = Math.min(this.count, SAMPLE);
    const seen = new Set<number>();
    for (let i = 0; i < sample; i++) {
      seen.add(width === 1 ? (words[i] ?? 0) : (words[i * 2 + 1] ?? 0) * 2 ** 32 + (words[i * 2] ?? 0));
    }
    if (seen.size > sample * MOSTLY) return 0;
    return seen.size > FEW / 2 ? FULL_DICTIONARY : FEW;
  }

  protected encoded(): Uint8Array {
    return new Uint8Array(this.words.buffer, 0, this.size);
  }

  /** The words, with room for so many values more. */
  protected room(rows: number): Int32Array {
    this.words = withRoom(this.words, (this.count + rows) * this.width);
    return this.words;
  }

  /** Takes the two words of each value as they are, the high one sent first. */
  protected takeWords({ view, fields, columns, rows }: RowBatch, first: number, fromRow: number): void {
    const words = this.room(rows);
    let { count } = this;
    for (let row = fromRow, f = first + fromRow * columns; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      words[count * 2] = view.getInt32(at + 4);
      words[count * 2 + 1] = view.getInt32(at);
      count++;
    }
    this.count = count;
  }

  /** Gives every value two words, from now on. */
  protected widen(): void {
    if (this.width === 2) return;
    const { words, count } = this;
    this.width = 2;
    this.words = new Int32Array(words.length * 2);
    for (let i = 0; i < count; i++) {
      const word = words[i] ?? 0;
      this.words[i * 2] = word;
      this.words[i * 2 + 1] = word >> 31;
    }
  }
}

/** int2 */
export class ShortValues extends WordValues {
  readonly plain = { physical: "int32", logical: "int16" } as const;

  constructor() {
    super(1);
  }

  protected takeValues({ view, fields, columns, rows }: RowBatch, first: number): void {
    const words = this.room(rows);
    let { count } = this;
    for (let row = 0, f = first; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at >= 0) words[count++] = view.getInt16(at);
    }
    this.count = count;
  }
}

/** int4, float4: the word as it is. */
export class IntegerValues extends WordValues {
  readonly plain;

  constructor(physical: "int32" | "float") {
    super(1);
    this.plain = { physical };
  }

  protected takeValues({ view, fields, columns, rows }: RowBatch, first: number): void {
    const words = this.room(rows);
    let { count } = this;
    for (let row = 0, f = first; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at >= 0) words[count++] = view.getInt32(at);
    }
    this.count = count;
  }
}

/** oid, xid: without sign, so that they need a word more. */
export class UnsignedValues extends WordValues {
  readonly plain = { physical: "int64" } as const;

  constructor() {
    super(2);
  }

  protected takeValues({ view, fields, columns, rows }: RowBatch, first: number): void {
    const words = this.room(rows);
    let { count } = this;
    for (let row = 0, f = first; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      words[count * 2] = view.getInt32(at);
      words[count * 2 + 1] = 0;
      count++;
    }
    this.count = count;
  }
}

/** float8: the words as they are. */
export class DoubleValues extends WordValues {
  readonly plain = { physical: "double" } as const;

  constructor() {
    super(2);
  }

  protected takeValues(batch: RowBatch, first: number): void {
    this.takeWords(batch, first, 0);
  }
}

/** int8: one word each, until the first that needs two. */
export class LongValues extends WordValues {
  constructor() {
    super(1);
  }

  get plain() {
    return this.width === 1 ? INT32 : INT64;
  }

  protected takeValues(batch: RowBatch, first: number): void {
    const row = this.width === 1 ? this.takeShort(batch, first) : 0;
    if (row === batch.rows) return;
    this.widen();
    this.takeWords(batch, first, row);
  }

  /** Takes the rows up to the first whose value needs two words; returns its number. */
  private takeShort({ view, fields, columns, rows }: RowBatch, first: number): number {
    const words = this.room(rows);
    let { count } = this;
    let row = 0;
    for (let f = first; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      const low = view.getInt32(at + 4);
      if (view.getInt32(at) !== low >> 31) break;
      words[count++] = low;
    }
    this.count = count;
    return row;
  }
}

/** Days and microseconds from the epoch of Unix to that of Postgres, 2000-01-01. */
const EPOCH_DAYS = 10_957;
const EPOCH = EPOCH_DAYS * 86_400_000_000;
const [EPOCH_HIGH, EPOCH_LOW] = words(EPOCH);
/** The years 1 to 9999, which all readers of the lake know, from the epoch of Unix. */
const [FIRST_DAY, LAST_DAY] = [-719_162, 2_932_896];
const [FIRST, END] = [FIRST_DAY * 86_400_000_000, (LAST_DAY + 1) * 86_400_000_000];
const [FIRST_HIGH, FIRST_LOW] = words(FIRST);
const [END_HIGH, END_LOW] = words(END);
/** Sums of 32 bits need no doubles; with the highest bit turned over, words without sign are compared as with one. */
const [EPOCH_ADDEND, SIGN] = [EPOCH_LOW | 0, 1 << 31];

/** High and low word of a number that a double holds. */
function words(value: number): readonly [high: number, low: number] {
  const high = Math.floor(value / 2 ** 32);
  return [high, value - high * 2 ** 32];
}

/** date: days since 2000. Infinite ones are the ends of the range. */
export class DateValues extends WordValues {
  readonly plain = { physical: "int32", logical: "date" } as const;

  constructor() {
    super(1);
  }

  protected takeValues({ view, fields, columns, rows }: RowBatch, first: number): void {
    const words = this.room(rows);
    let { count } = this;
    for (let row = 0, f = first; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      const days = view.getInt32(at) + EPOCH_DAYS;
      if (days < FIRST_DAY || days > LAST_DAY) throw new NoPlace();
      words[count++] = days;
    }
    this.count = count;
  }
}

/** timestamp, timestamptz: microseconds since 2000. Infinite ones are the ends of the range. */
export class TimestampValues extends WordValues {
  readonly plain = { physical: "int64", logical: "timestamp" } as const;

  constructor() {
    super(2);
  }

  protected takeValues({ view, fields, columns, rows }: RowBatch, first: number): void {
    const words = this.room(rows);
    let { count } = this;
    for (let row = 0, f = first; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      const low = (view.getInt32(at + 4) + EPOCH_ADDEND) | 0;
      const carry = (low ^ SIGN) < (EPOCH_ADDEND ^ SIGN) ? 1 : 0;
      // Where this leaves the 32 bits it comes out below the first of the years.
      const high = (view.getInt32(at) + EPOCH_HIGH + carry) | 0;
      if (high < FIRST_HIGH || (high === FIRST_HIGH && low >>> 0 < FIRST_LOW)) throw new NoPlace();
      if (high > END_HIGH || (high === END_HIGH && low >>> 0 >= END_LOW)) throw new NoPlace();
      words[count * 2] = low;
      words[count * 2 + 1] = high;
      count++;
    }
    this.count = count;
  }
}
