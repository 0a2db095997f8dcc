/**
 * Columns of values of one or two 32-bit words: integers, floats, dates, timestamps. Their loops are alike and each
 * written out, so that none calls a function for every value.
 */
import type { RowBatch } from "./binary-copy.ts";
import { ColumnValues, NoPlace } from "./column-values.ts";

/** Values as words, the low one of two first. */
export abstract class WordValues extends ColumnValues {
  private words = new Int32Array(4096);
  private readonly width: number;

  constructor(width: 1 | 2) {
    super();
    this.width = width;
  }

  get size(): number {
    return this.count * this.width * 4;
  }

  protected encoded(): Uint8Array {
    return new Uint8Array(this.words.buffer, 0, this.size);
  }

  /** The words, with room for so many values more. */
  protected room(rows: number): Int32Array {
    const wanted = (this.count + rows) * this.width;
    if (wanted > this.words.length) {
      const larger = new Int32Array(Math.max(wanted, this.words.length * 2));
      larger.set(this.words);
      this.words = larger;
    }
    return this.words;
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

/** int8, float8: the words as they are. */
export class LongValues extends WordValues {
  readonly plain;

  constructor(physical: "int64" | "double") {
    super(2);
    this.plain = { physical };
  }

  protected takeValues({ view, fields, columns, rows }: RowBatch, first: number): void {
    const words = this.room(rows);
    let { count } = this;
    for (let row = 0, f = first; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      words[count * 2] = view.getInt32(at + 4);
      words[count * 2 + 1] = view.getInt32(at);
      count++;
    }
    this.count = count;
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
      const sum = view.getUint32(at + 4) + EPOCH_LOW;
      const low = sum % 2 ** 32;
      const high = view.getInt32(at) + EPOCH_HIGH + (sum === low ? 0 : 1);
      if (high < FIRST_HIGH || (high === FIRST_HIGH && low < FIRST_LOW)) throw new NoPlace();
      if (high > END_HIGH || (high === END_HIGH && low >= END_LOW)) throw new NoPlace();
      words[count * 2] = low;
      words[count * 2 + 1] = high;
      count++;
    }
    this.count = count;
  }
}
