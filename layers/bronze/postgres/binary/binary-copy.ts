/**
 * COPY … TO STDOUT (FORMAT binary), taken from the socket's bytes a buffer of rows at a time: where each value lies is
 * written down, and nothing is copied but the bytes themselves.
 *
 * Postgres documentation, "Message Formats" (a byte of type, four bytes of length that count themselves, content; each
 * row is a message of its own) and "COPY", binary format (a header before the first row; a row is the number of its
 * fields, and for each its length, -1 for null, and its bytes; -1 as number of fields ends the rows).
 */
import type { Socket } from "node:net";
import type pg from "pg";
import { divert } from "../reading-socket.ts";
import { withRoom } from "./with-room.ts";

const [COPY_DATA, COPY_DONE, ERROR] = [0x64, 0x63, 0x45]; // d, c, E
/** Bytes of a message before its content. */
const HEADER = 5;
/** Bytes before the first row: signature and flags; the length of an extension follows. */
const SIGNATURE = 15;
const INBOX = 1 << 18;

/** Rows as they came: `fields[row * columns + column]` is where a value begins in `bytes`, -1 for null. */
export interface RowBatch {
  readonly bytes: Buffer;
  readonly view: DataView;
  /** The four bytes before each place are the length of the value. */
  readonly fields: Int32Array;
  readonly columns: number;
  readonly rows: number;
  /** Bytes that the rows took on the wire. */
  readonly size: number;
}

/** Thrown through `handleError` for a row that is longer than allowed. */
export class RowTooLong extends Error {}

/** What `pg` calls on a query that it runs; the part of its connection that is used here. */
interface Connection {
  readonly stream: Socket;
  query(text: string): void;
}

export interface BinaryCopyOptions {
  readonly columns: number;
  /** Bytes of the longest row. */
  readonly longestRow: number;
  /** Takes rows, which are gone when it returns; the source is held back until what it returns resolves. */
  readonly onRows: (batch: RowBatch) => Promise<void> | undefined;
}

/** Give it to `client.query()` and wait for `ended`. */
export class BinaryCopy implements pg.Submittable {
  /** Resolves with the number of rows that Postgres says it sent, when `onRows` has taken all. */
  readonly ended: Promise<number>;
  private readonly text: string;
  private readonly options: BinaryCopyOptions;
  private settle: { resolve(rows: number): void; reject(error: unknown): void } = {
    resolve() {},
    reject() {},
  };
  private stream: Socket | undefined;
  /** Lets `pg` have the bytes again. */
  private restore: (() => void) | undefined;
  private inbox = Buffer.allocUnsafe(INBOX);
  private view = viewOf(this.inbox);
  private filled = 0;
  private fields = new Int32Array(1 << 14);
  /** Bytes of the messages that were gone through. */
  private scanned = 0;
  private isFirst = true;
  /** Whether what follows is for `pg`. */
  private isLast = false;
  private failed = false;

  constructor(text: string, options: BinaryCopyOptions) {
    this.text = text;
    this.options = options;
    this.ended = new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
    });
    // An error that comes before anybody waits is told to who waits then.
    this.ended.catch(() => {});
  }

  submit(connection: pg.Connection): void {
    const { stream, query } = connection as unknown as Connection;
    this.stream = stream;
    this.restore = divert(stream, this.receive);
    query.call(connection, this.text);
  }

  /** Called by `pg` with the tag of the command, `COPY 5000000`. */
  handleCommandComplete(message: { readonly text: string }): void {
    this.settle.resolve(Number(/\d+$/.exec(message.text)?.[0] ?? 0));
  }

  /** Called by `pg` for an error of this query, and when the connection ends under it. */
  handleError(error: Error): void {
    this.fail(error);
  }

  handleReadyForQuery(): void {}

  private readonly receive = (chunk: Buffer): void => {
    if (this.failed) return;
    try {
      this.keep(chunk);
      const end = this.take();
      if (end !== undefined) this.goOn(end, () => this.giveBack());
    } catch (error) {
      this.fail(error);
    }
  };

  private keep(chunk: Buffer): void {
    const wanted = this.filled + chunk.length;
    if (wanted > this.inbox.length) {
      const larger = Buffer.allocUnsafe(Math.max(wanted, this.inbox.length * 2));
      this.inbox.copy(larger, 0, 0, this.filled);
      this.inbox = larger;
      this.view = viewOf(larger);
    }
    chunk.copy(this.inbox, this.filled);
    this.filled = wanted;
  }

  /** Takes all messages that are whole. */
  private take(): Promise<void> | undefined {
    const rows = this.scan();
    const { inbox: bytes, view, fields, scanned: size, filled } = this;
    const { columns, onRows } = this.options;
    const waits = rows > 0 ? onRows({ bytes, view, fields, columns, rows, size }) : undefined;
    this.inbox.copyWithin(0, size, filled);
    this.filled = filled - size;
    if (!this.isLast) {
      if (waits) this.goOn(waits, () => this.stream?.resume());
      return undefined;
    }
    return waits ?? Promise.resolve();
  }

  /**
   * Goes through the messages that are whole, and gives the number of their rows. Apart from what is done with these:
   * a loop is compiled with what follows it in its function, before that was run even once.
   */
  private scan(): number {
    const { view, filled } = this;
    const { columns, longestRow } = this.options;
    let [at, rows] = [0, 0];
    while (at + HEADER <= filled) {
      const type = this.inbox[at];
      const end = at + 1 + view.getInt32(at + 1);
      if (type === COPY_DONE || type === ERROR) {
        this.isLast = true;
        break;
      }
      if (end - at > longestRow) throw new RowTooLong();
      if (end > filled) break;
      if (type === COPY_DATA && this.row(at + HEADER, rows * columns)) rows += 1;
      at = end;
    }
    this.scanned = at;
    return rows;
  }

  /** Writes down where the values of a row lie; false for the end of the rows. */
  private row(start: number, first: number): boolean {
    const { view } = this;
    const { columns } = this.options;
    let at = start;
    if (this.isFirst) {
      this.isFirst = false;
      at += SIGNATURE;
      at += 4 + view.getInt32(at);
    }
    const count = view.getInt16(at);
    if (count < 0) return false;
    if (count !== columns) throw new Error(`a row of ${count} fields instead of ${columns}`);
    at += 2;
    const last = first + columns;
    if (last > this.fields.length) this.fields = withRoom(this.fields, last);
    const { fields } = this;
    for (let field = first; field < last; field++) {
      const length = view.getInt32(at);
      at += 4;
      if (length < 0) fields[field] = -1;
      else {
        fields[field] = at;
        at += length;
      }
    }
    return true;
  }

  private goOn(waits: Promise<void>, next: () => void): void {
    this.stream?.pause();
    waits.then(next, (error: unknown) => this.fail(error));
  }

  private fail(error: unknown): void {
    this.settle.reject(error);
    // Where it was our doing, more rows are on their way, and no word stops them: the connection ends here.
    if (this.restore !== undefined) this.stream?.destroy();
    this.failed = true;
  }

  /** Lets `pg` listen to the connection again, beginning with the bytes that are its own. */
  private giveBack(): void {
    this.restore?.();
    this.restore = undefined;
    this.stream?.emit("data", Buffer.from(this.inbox.subarray(0, this.filled)));
    this.stream?.resume();
  }
}

const viewOf = ({ buffer, byteOffset, length }: Buffer) => new DataView(buffer, byteOffset, length);
