/** Columns of values of any length, and of single bits. */
import type { RowBatch } from "./binary-copy.ts";
import { ColumnValues, type Form } from "./column-values.ts";

/** From this length on a call to copy bytes costs less than copying them one by one. */
const COPIED_ONE_BY_ONE = 48;

/** A length of four bytes, the lowest first, before each value. */
abstract class LengthValues extends ColumnValues {
  private bytes = Buffer.alloc(0);
  protected filled = 0;

  get size(): number {
    return this.filled;
  }

  override clear(): void {
    super.clear();
    this.filled = 0;
  }

  protected encoded(): Uint8Array {
    return this.bytes.subarray(0, this.filled);
  }

  /** The buffer, with room for so many bytes more. */
  protected room(bytes: number): Buffer {
    const wanted = this.filled + bytes;
    if (wanted > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(wanted, this.bytes.length * 2));
      this.bytes.copy(larger, 0, 0, this.filled);
      this.bytes = larger;
    }
    return this.bytes;
  }
}

/** bytea, and long text. */
export class BytesValues extends LengthValues {
  private readonly form: Form;

  constructor(logical?: "text") {
    super();
    this.form = { physical: "bytes", ...(logical === undefined ? {} : { logical }) };
  }

  get plain(): Form {
    return this.form;
  }

  protected takeValues(batch: RowBatch, first: number, fromRow = 0): void {
    const { bytes: from, view, fields, columns, rows, size } = batch;
    // No column is longer than the rows.
    const to = this.room(size);
    let { filled, count } = this;
    for (let row = fromRow, f = first + fromRow * columns; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      const length = view.getInt32(at - 4);
      to[filled] = length;
      to[filled + 1] = length >> 8;
      to[filled + 2] = length >> 16;
      to[filled + 3] = length >> 24;
      filled += 4;
      if (length > COPIED_ONE_BY_ONE) from.copy(to, filled, at, at + length);
      else for (let i = 0; i < length; i++) to[filled + i] = from[at + i] ?? 0;
      filled += length;
      count++;
    }
    this.filled = filled;
    this.count = count;
  }

  /** Takes one value. */
  protected append(value: Buffer): void {
    const to = this.room(4 + value.length);
    to.writeInt32LE(value.length, this.filled);
    value.copy(to, this.filled + 4);
    this.filled += 4 + value.length;
    this.count++;
  }
}

const UUID_TEXT = 36;
const [DASH, HEX] = ["-".charCodeAt(0), Buffer.from("0123456789abcdef")];

/** uuid: sixteen bytes, as the text that Postgres prints. */
export class UuidValues extends LengthValues {
  readonly plain = { physical: "bytes", logical: "text" } as const;

  protected takeValues({ bytes: from, fields, columns, rows }: RowBatch, first: number): void {
    const to = this.room(rows * (4 + UUID_TEXT));
    let { filled, count } = this;
    for (let row = 0, f = first; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      to[filled] = UUID_TEXT;
      to[filled + 1] = 0;
      to[filled + 2] = 0;
      to[filled + 3] = 0;
      filled += 4;
      for (let i = 0; i < 16; i++) {
        if (i === 4 || i === 6 || i === 8 || i === 10) to[filled++] = DASH;
        const byte = from[at + i] ?? 0;
        to[filled++] = HEX[byte >> 4] ?? 0;
        to[filled++] = HEX[byte & 15] ?? 0;
      }
      count++;
    }
    this.filled = filled;
    this.count = count;
  }
}

/** bool: a bit each, the lowest first. */
export class BooleanValues extends ColumnValues {
  readonly plain = { physical: "boolean" } as const;
  private bits = new Uint8Array(1024);

  get size(): number {
    return Math.ceil(this.count / 8);
  }

  override get dictionary(): number {
    return 0;
  }

  override clear(): void {
    super.clear();
    this.bits.fill(0);
  }

  protected takeValues({ bytes: from, fields, columns, rows }: RowBatch, first: number): void {
    const wanted = Math.ceil((this.count + rows) / 8);
    if (wanted > this.bits.length) {
      const larger = new Uint8Array(Math.max(wanted, this.bits.length * 2));
      larger.set(this.bits);
      this.bits = larger;
    }
    const { bits } = this;
    let { count } = this;
    for (let row = 0, f = first; row < rows; row++, f += columns) {
      const at = fields[f] ?? -1;
      if (at < 0) continue;
      if (from[at] === 1) bits[count >> 3] = (bits[count >> 3] ?? 0) | (1 << (count & 7));
      count++;
    }
    this.count = count;
  }

  protected encoded(): Uint8Array {
    return this.bits.subarray(0, this.size);
  }
}
