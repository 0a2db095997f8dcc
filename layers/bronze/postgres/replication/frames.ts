/** Messages of the Postgres protocol out of the pieces in which a socket delivers them. */

const HEADER = 5;

/** After `next()` answered true, the message's type and where its body lies; valid until the next call. */
export class FrameReader {
  type = 0;
  buffer: Buffer = Buffer.alloc(0);
  start = 0;
  end = 0;
  private at = 0;
  /** Pieces behind `buffer`, joined only once a whole message is there: a long one is copied once. */
  private pieces: Buffer[] = [];
  private piecesLength = 0;

  push(chunk: Buffer): void {
    if (this.at === this.buffer.length && this.pieces.length === 0) {
      this.buffer = chunk;
      this.at = 0;
      return;
    }
    this.pieces.push(chunk);
    this.piecesLength += chunk.length;
  }

  /** Moves to the next message; false while it has not arrived whole. */
  next(): boolean {
    if (!this.has(HEADER)) return false;
    const length = this.buffer.readInt32BE(this.at + 1) + 1;
    if (!this.has(length)) return false;
    this.type = this.buffer[this.at] ?? 0;
    this.start = this.at + HEADER;
    this.end = this.at + length;
    this.at = this.end;
    return true;
  }

  private has(length: number): boolean {
    const there = this.buffer.length - this.at;
    if (there >= length) return true;
    if (there + this.piecesLength < length) return false;
    this.buffer = Buffer.concat([this.buffer.subarray(this.at), ...this.pieces]);
    this.at = 0;
    this.pieces = [];
    this.piecesLength = 0;
    return true;
  }
}
