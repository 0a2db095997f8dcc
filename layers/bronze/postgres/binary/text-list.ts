/** The different texts of a column, each under a place that counts from 1, found by their bytes. */

/** Different texts: the places of so many fit into the byte that a row of DuckDB's ENUM takes. */
const MOST_TEXTS = 255;
/** Bytes of one: a statement holds all of them, twice. */
const LONGEST_TEXT = 48;
/** A power of two, four times as many as there are texts. */
const SLOTS = 1024;

export class TextList {
  private readonly bytes = Buffer.allocUnsafe(MOST_TEXTS * LONGEST_TEXT);
  private readonly ends = new Int32Array(MOST_TEXTS + 1);
  /** The first and the last four bytes of each, which tell most of them apart. */
  private readonly heads = new Int32Array(MOST_TEXTS + 1);
  private readonly tails = new Int32Array(MOST_TEXTS + 1);
  private readonly slots = new Uint8Array(SLOTS);
  private readonly used = new Uint8Array(MOST_TEXTS + 1);
  private count = 0;
  /** Bytes of the longest of them. */
  longest = 0;

  /** In the order of their places. */
  get texts(): string[] {
    return Array.from({ length: this.count }, (_, i) => this.bytesOf(i + 1).toString());
  }

  /** The place of these bytes, which are added where they are new; 0 where there is no room for them. */
  placeOf(from: Buffer, view: DataView, at: number, length: number): number {
    if (length > LONGEST_TEXT) return 0;
    const head = length >= 4 ? view.getInt32(at) : shortText(from, at, length);
    const tail = length > 4 ? view.getInt32(at + length - 4) : 0;
    let slot = (Math.imul(head, 0x9e3779b1) ^ Math.imul(tail + length, 0x85ebca6b)) >>> 22;
    for (;;) {
      const place = this.slots[slot] ?? 0;
      if (place === 0) return this.add(slot, from, at, length, head, tail);
      if (this.heads[place] === head && this.tails[place] === tail && this.isSame(place, from, at, length)) {
        return place;
      }
      slot = (slot + 1) % SLOTS;
    }
  }

  bytesOf(place: number): Buffer {
    return this.bytes.subarray(this.ends[place - 1], this.ends[place]);
  }

  /** Remembers which of them a file has. */
  use(places: Int32Array): void {
    const { used } = this;
    for (let i = 0; i < places.length; i++) used[places[i] ?? 0] = 1;
  }

  /** The texts that the file has, in the order of their bytes. */
  endFile(): string[] {
    const used: Buffer[] = [];
    for (let place = 1; place <= this.count; place++) {
      if (this.used[place] === 1) used.push(this.bytesOf(place));
    }
    this.used.fill(0);
    return used.sort(Buffer.compare).map((text) => text.toString());
  }

  private isSame(place: number, from: Buffer, at: number, length: number): boolean {
    const start = this.ends[place - 1] ?? 0;
    if ((this.ends[place] ?? 0) - start !== length) return false;
    for (let i = 4; i < length - 4; i++) if (this.bytes[start + i] !== from[at + i]) return false;
    return true;
  }

  private add(slot: number, from: Buffer, at: number, length: number, head: number, tail: number): number {
    if (this.count === MOST_TEXTS) return 0;
    const place = ++this.count;
    const start = this.ends[place - 1] ?? 0;
    from.copy(this.bytes, start, at, at + length);
    this.ends[place] = start + length;
    if (length > this.longest) this.longest = length;
    this.heads[place] = head;
    this.tails[place] = tail;
    this.slots[slot] = place;
    return place;
  }
}

/** Up to three bytes as a number. */
function shortText(from: Buffer, at: number, length: number): number {
  let number = 0;
  for (let i = 0; i < length; i++) number = number * 256 + (from[at + i] ?? 0);
  return number;
}
