/**
 * COPY … TO STDOUT as a stream of buffers. Each row arrives in a message of its own, and a network buffer holds some
 * 8 kB of them; here rows are gathered into larger buffers, so that a row costs a copy of its bytes and no object.
 * (The library for this makes an object a row: twice the processor time in this process.)
 *
 * Postgres documentation, "Message Formats": a byte of type, four bytes of length (which counts itself), content.
 */
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import type pg from "pg";
import { divert } from "./reading-socket.ts";

const COPY_DATA = 0x64; // d
const COPY_DONE = 0x63; // c
const ERROR = 0x45; // E
const HEADER = 5;
/** Bytes of a buffer that leaves; as many as a pipe takes at once. */
const BATCH = 1 << 16;

/** What `pg` calls on a query that it runs; the part of its connection that is used here. */
interface Connection {
  readonly stream: Socket;
  query(text: string): void;
}

/** Give it to `client.query()`. Ends when Postgres said that it sent everything; is destroyed with the error else. */
export class CopyOut extends Readable implements pg.Submittable {
  /** Rows that Postgres says it sent; known when the stream has ended. */
  rowCount = 0;
  /** Rows that have arrived so far. */
  arrived = 0;
  private readonly text: string;
  private stream: Socket | undefined;
  /** Lets `pg` have the bytes again. */
  private restore: (() => void) | undefined;
  /** Bytes of the current message that are still to come, and whether they are a row's. */
  private remaining = 0;
  private isRow = false;
  /** A header that was cut by the end of a network buffer. */
  private cutHeader = Buffer.alloc(0);
  /** Rows on their way out, and how many bytes of it they fill. */
  private batch = Buffer.allocUnsafe(BATCH);
  private filled = 0;

  constructor(text: string) {
    super({ highWaterMark: 1 << 23 });
    this.text = text;
  }

  submit(connection: pg.Connection): void {
    const { stream, query } = connection as unknown as Connection;
    this.stream = stream;
    this.restore = divert(stream, this.receive);
    query.call(connection, this.text);
  }

  override _read(): void {
    if (this.restore) this.stream?.resume();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.giveBack();
    done(error);
  }

  /** Called by `pg` with the tag of the command, `COPY 5000000`. */
  handleCommandComplete(message: { readonly text: string }): void {
    this.rowCount = Number(/\d+$/.exec(message.text)?.[0] ?? 0);
    this.push(null);
  }

  /** Called by `pg` for an error of this query, and when the connection ends under it. */
  handleError(error: Error): void {
    this.destroy(error);
  }

  handleReadyForQuery(): void {}

  private readonly receive = (received: Buffer): void => {
    const chunk = this.cutHeader.length > 0 ? Buffer.concat([this.cutHeader, received]) : received;
    this.cutHeader = Buffer.alloc(0);
    let at = 0;
    while (at < chunk.length) {
      if (this.remaining > 0) {
        const end = Math.min(at + this.remaining, chunk.length);
        if (this.isRow) this.gather(chunk, at, end);
        this.remaining -= end - at;
        if (this.isRow && this.remaining === 0) this.arrived += 1;
        at = end;
        continue;
      }
      if (chunk.length - at < HEADER) {
        this.cutHeader = Buffer.from(chunk.subarray(at));
        return;
      }
      const type = chunk[at];
      if (type === COPY_DONE || type === ERROR) {
        this.flush();
        this.giveBack(chunk.subarray(at));
        return;
      }
      this.isRow = type === COPY_DATA;
      this.remaining = chunk.readInt32BE(at + 1) - 4;
      at += HEADER;
    }
  };

  private gather(chunk: Buffer, start: number, end: number): void {
    for (let at = start; at < end; ) {
      const copied = chunk.copy(this.batch, this.filled, at, end);
      at += copied;
      this.filled += copied;
      if (this.filled === BATCH) this.flush();
    }
  }

  private flush(): void {
    if (this.filled === 0) return;
    const goOn = this.push(this.batch.subarray(0, this.filled));
    if (!goOn) this.stream?.pause();
    this.batch = Buffer.allocUnsafe(BATCH);
    this.filled = 0;
  }

  /** Lets `pg` listen to the connection again, beginning with the bytes that are its own. */
  private giveBack(rest?: Buffer): void {
    const { restore, stream } = this;
    if (restore === undefined) return;
    this.restore = undefined;
    restore();
    if (rest) stream?.emit("data", Buffer.from(rest));
    stream?.resume();
  }
}
