/**
 * Captured rows on their way to DuckDB: a CSV file in the scratch folder. Fields are copied from the socket's buffer to
 * the file's, bytes to bytes; none becomes a JavaScript value.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { rm } from "node:fs/promises";
import { FIELD, type Tuple } from "../postgres/replication/pgoutput.ts";

/** One for each table that has rows in a batch. */
const BUFFER = 1 << 16;
const QUOTE = 0x22;
const COMMA = 0x2c;
const NEWLINE = 0x0a;
/** Longer texts are searched and copied by the runtime's native code, shorter ones byte by byte. */
const SHORT = 64;

/** Fields that stand before the table's own, in the order in which they are written. */
export const ROW_FIELDS = [
  { name: "_ingot_op", type: "VARCHAR" },
  { name: "_ingot_seq", type: "BIGINT" },
  { name: "_ingot_lsn", type: "BIGINT" },
  { name: "_ingot_xid", type: "BIGINT" },
  { name: "_ingot_committed_us", type: "BIGINT" },
  /** Positions of the fields whose values were not sent because they did not change: `3;5`. */
  { name: "_ingot_unchanged", type: "VARCHAR" },
  /** 1 where the row was another's until this change gave it a new key; the row before it has the old one. */
  { name: "_ingot_rekeyed", type: "BOOLEAN" },
] as const;

/** What happened to a row; see `ChangeOperation`. */
export type Operation = "i" | "u" | "d" | "t";

/** A transaction as its rows name it: `lsn,xid,microseconds` since 1970. */
export type TransactionText = Buffer;

export function transactionText(lsn: number, xid: number, time: number): TransactionText {
  return Buffer.from(`${lsn},${xid},${time},`, "latin1");
}

/** The same for what belongs to no transaction. */
export function messageText(lsn: number): TransactionText {
  return Buffer.from(`${lsn},,,`, "latin1");
}

export class RowFile {
  readonly path: string;
  rows = 0;
  /** Rows with fields that were not sent. */
  incomplete = 0;
  /** Bytes of the longest row. */
  longest = 0;
  private written = 0;
  private closed = false;
  private readonly bare: readonly boolean[];
  private readonly fd: number;
  private buffer = Buffer.allocUnsafe(BUFFER);
  private filled = 0;

  /** `bare`: which fields never need quotes (numbers, dates). */
  constructor(path: string, bare: readonly boolean[]) {
    this.path = path;
    this.bare = bare;
    this.fd = openSync(path, "wx", 0o600);
  }

  /**
   * Writes a row. `old` stands in for the fields that were not sent, where it has them. Without `row` all fields are
   * empty.
   */
  write(
    operation: Operation,
    sequence: number,
    transaction: TransactionText,
    row: Tuple | undefined,
    old?: Tuple,
    rekeyed = false,
  ): void {
    const start = this.size;
    this.reserve(256);
    this.text(`${operation},${sequence},`);
    this.filled += transaction.copy(this.buffer, this.filled);
    const unchanged = unchangedFields(row, old);
    if (unchanged !== "") this.incomplete += 1;
    this.text(rekeyed ? `${unchanged},1` : `${unchanged},`);
    for (let i = 0; i < this.bare.length; i++) {
      this.reserve(1);
      this.buffer[this.filled++] = COMMA;
      if (row === undefined) continue;
      const from = row.kinds[i] === FIELD.unchanged && old !== undefined ? old : row;
      if (from.kinds[i] === FIELD.text) this.field(from, i);
    }
    this.reserve(1);
    this.buffer[this.filled++] = NEWLINE;
    this.rows += 1;
    this.longest = Math.max(this.longest, this.size - start);
  }

  /** Bytes of the rows, those that wait in memory included. */
  get size(): number {
    return this.written + this.filled;
  }

  /** Makes the rows readable under `path`. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.flush();
    closeSync(this.fd);
    this.buffer = Buffer.alloc(0);
  }

  async remove(): Promise<void> {
    await rm(this.path, { force: true });
  }

  private field(tuple: Tuple, i: number): void {
    const start = tuple.starts[i] ?? 0;
    const end = tuple.ends[i] ?? 0;
    const length = end - start;
    if (length > SHORT) {
      this.long(tuple.buffer, start, end, this.bare[i] === true);
      return;
    }
    this.reserve(2 * SHORT + 2);
    const { buffer } = this;
    const source = tuple.buffer;
    let at = this.filled;
    if (this.bare[i] === true) {
      for (let from = start; from < end; from++) buffer[at++] = source[from] ?? 0;
      this.filled = at;
      return;
    }
    buffer[at++] = QUOTE;
    for (let from = start; from < end; from++) {
      const byte = source[from] ?? 0;
      if (byte === QUOTE) buffer[at++] = QUOTE;
      buffer[at++] = byte;
    }
    buffer[at++] = QUOTE;
    this.filled = at;
  }

  private long(source: Buffer, start: number, end: number, bare: boolean): void {
    if (bare) {
      this.copy(source, start, end);
      return;
    }
    this.byte(QUOTE);
    let from = start;
    while (from < end) {
      const found = source.indexOf(QUOTE, from);
      if (found === -1 || found >= end) break;
      this.copy(source, from, found + 1);
      this.byte(QUOTE);
      from = found + 1;
    }
    this.copy(source, from, end);
    this.byte(QUOTE);
  }

  private copy(source: Buffer, start: number, end: number): void {
    for (let at = start; at < end; ) {
      this.reserve(1);
      const copied = source.copy(this.buffer, this.filled, at, end);
      this.filled += copied;
      at += copied;
    }
  }

  private byte(value: number): void {
    this.reserve(1);
    this.buffer[this.filled++] = value;
  }

  private text(value: string): void {
    this.reserve(value.length);
    this.filled += this.buffer.write(value, this.filled, "latin1");
  }

  private reserve(bytes: number): void {
    if (this.filled + bytes > this.buffer.length) this.flush();
    if (bytes > this.buffer.length) this.buffer = Buffer.allocUnsafe(bytes);
  }

  private flush(): void {
    for (let at = 0; at < this.filled; ) at += writeSync(this.fd, this.buffer, at, this.filled - at);
    this.written += this.filled;
    this.filled = 0;
  }
}

/** Positions of fields that neither tuple has. */
function unchangedFields(row: Tuple | undefined, old: Tuple | undefined): string {
  if (row === undefined) return "";
  let found = "";
  for (let i = 0; i < row.count; i++) {
    if (row.kinds[i] !== FIELD.unchanged || (old !== undefined && has(old, i))) continue;
    found += found === "" ? i : `;${i}`;
  }
  return found;
}

/** Whether a former row tells a field: one of which only the key was sent tells no other. */
function has(old: Tuple, i: number): boolean {
  return old.isKeyOnly ? old.kinds[i] === FIELD.text : old.kinds[i] !== FIELD.unchanged;
}
