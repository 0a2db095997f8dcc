/**
 * numeric(p,s): digits to the base of 10,000, the highest first, `weight` the power of the first one. Sent are the
 * number of digits, weight, sign, display scale, digits: 16 bits each (`numeric_send`).
 */
import type { RowBatch } from "./binary-copy.ts";
import { ColumnValues, type Form, NoPlace } from "./column-values.ts";
import { WordValues } from "./number-values.ts";

const [WEIGHT, SIGN, DIGITS] = [2, 4, 8];
const NEGATIVE = 0x4000;
/** NaN and the infinities have higher signs than this. */
const LAST_SIGN = NEGATIVE;
const POWERS = Array.from({ length: 16 }, (_, i) => 10 ** i);

/** Digits that a double holds on its way, with one group of digits beyond. */
export const DOUBLE_DIGITS = 15;

/** Digits of decimals that have one word. */
const WORD_DIGITS = 9;
const WORD_END = 10 ** WORD_DIGITS;

/** p at most 15: computed as doubles, all of whose steps are exact. One word each, until the first that needs two. */
export class ShortDecimalValues extends WordValues {
  private readonly forms: Readonly<Record<1 | 2, Form>>;
  private readonly scale: number;

  constructor(precision: number, scale: number) {
    super(scale <= WORD_DIGITS ? 1 : 2);
    this.scale = scale;
    this.forms = {
      1: { physical: "int32", logical: { precision: WORD_DIGITS, scale } },
      2: { physical: "int64", logical: { precision, scale } },
    };
  }

  get plain(): Form {
    return this.forms[this.width];
  }

  protected takeValues(batch: RowBatch, first: number): void {
    const row = this.width === 1 ? this.takeShort(batch, first) : 0;
    if (row === batch.rows) return;
    this.widen();
    this.takeLong(batch, first, row);
  }

  /** Takes the rows up to the first whose value needs two words; returns its number. */
  private takeShort({ view, fields, columns, rows }: RowBatch, first: number): number {
    const words = this.room(rows);
    const { scale } = this;
    let { count } = this;
    let row = 0;
    for (let f = first; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      const value = unscaled(view, at, scale);
      if (value >= WORD_END) break;
      words[count++] = view.getUint16(at + SIGN) === NEGATIVE ? -value : value;
    }
    this.count = count;
    return row;
  }

  private takeLong({ view, fields, columns, rows }: RowBatch, first: number, fromRow: number): void {
    const words = this.room(rows);
    const { scale } = this;
    let { count } = this;
    for (let row = fromRow, f = first + fromRow * columns; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      const value = unscaled(view, at, scale);
      const high = Math.floor(value / 2 ** 32);
      // Not the remainder by `%`: it is exact here too, and takes longer than all else.
      const low = value - high * 2 ** 32;
      const negative = view.getUint16(at + SIGN) === NEGATIVE;
      words[count * 2] = negative ? -low : low;
      words[count * 2 + 1] = negative ? (low === 0 ? -high : ~high) : high;
      count++;
    }
    this.count = count;
  }
}

/** A number without its sign and its point. */
function unscaled(view: DataView, at: number, scale: number): number {
  if (view.getUint16(at + SIGN) > LAST_SIGN) throw new NoPlace();
  const end = at + DIGITS + 2 * view.getInt16(at);
  let power = 4 * view.getInt16(at + WEIGHT) + scale;
  let value = 0;
  for (let digit = at + DIGITS; digit < end; digit += 2, power -= 4) {
    const four = view.getInt16(digit);
    value += power >= 0 ? four * (POWERS[power] ?? 0) : four / (POWERS[-power] ?? 1);
  }
  return value;
}

const BYTES = 16;

/** p up to 38, in sixteen bytes, the highest first. */
export class LongDecimalValues extends ColumnValues {
  readonly plain;
  private readonly scale: number;
  private bytes = Buffer.alloc(BYTES * 1024);

  constructor(precision: number, scale: number) {
    super();
    this.scale = scale;
    this.plain = { physical: "fixed16", logical: { precision, scale } } as const;
  }

  get size(): number {
    return this.count * BYTES;
  }

  protected takeValues({ view, fields, columns, rows }: RowBatch, first: number): void {
    const wanted = (this.count + rows) * BYTES;
    if (wanted > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(wanted, this.bytes.length * 2));
      this.bytes.copy(larger);
      this.bytes = larger;
    }
    for (let row = 0, f = first; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      const value = this.unscaled(view, at);
      this.bytes.writeBigInt64BE(value >> 64n, this.count * BYTES);
      this.bytes.writeBigUInt64BE(BigInt.asUintN(64, value), this.count * BYTES + 8);
      this.count++;
    }
  }

  protected encoded(): Uint8Array {
    return this.bytes.subarray(0, this.size);
  }

  /** The number without its point. */
  private unscaled(view: DataView, at: number): bigint {
    const sign = view.getUint16(at + SIGN);
    if (sign > LAST_SIGN) throw new NoPlace();
    const digits = view.getInt16(at);
    let value = 0n;
    for (let i = 0; i < digits; i++) value = value * 10_000n + BigInt(view.getInt16(at + DIGITS + 2 * i));
    const power = 4 * (view.getInt16(at + WEIGHT) - digits + 1) + this.scale;
    const scaled = power >= 0 ? value * 10n ** BigInt(power) : value / 10n ** BigInt(-power);
    return sign === NEGATIVE ? -scaled : scaled;
  }
}
