/**
 * Reading the serialised form of deletion vectors: a magic number and a 64-bit Roaring bitmap, little-endian
 * (PROTOCOL.md, "Deletion Vector Format"; github.com/RoaringBitmap/RoaringFormatSpec). Bytes are not trusted: what
 * is read takes memory in proportion to them, and whatever does not fit is a `DELTA_BAD_DELETION_VECTOR`.
 */
import { badVector } from "./bad-vector.ts";
import { BITMAP_BYTES, CONTAINER_VALUES, Container, countBits, MOST_SORTED } from "./container.ts";
import { RowSet } from "./row-set.ts";

/** Buckets with their keys, as Roaring itself specifies. */
export const PORTABLE = 1_681_511_377;
/** An older form: buckets in order of their keys, without gaps, each after its length. */
const NATIVE = 1_681_511_376;

/** Begins a 32-bit bitmap none of whose containers has runs. */
export const WITHOUT_RUNS = 12_346;
/** In the low half of a word, begins a 32-bit bitmap that says which containers have runs. */
export const WITH_RUNS = 12_347;
/** Where runs are told, so many containers or more have their offsets listed; without runs they always have. */
export const LISTED_FROM = 4;

/** Containers of one bucket; a key has 16 bits. */
export const BUCKET_CONTAINERS = 65_536;
/** Keys from here on would give rows that a number cannot hold. */
const FIRST_BAD_KEY = 2 ** 21;

/** The rows of a serialised deletion vector. Rejects damaged bytes with `DELTA_BAD_DELETION_VECTOR`. */
export function parseRoaring(bytes: Uint8Array): RowSet {
  const reader = new ByteReader(bytes);
  const magic = reader.u32();
  const rows = new RowSet();
  if (magic === PORTABLE) readPortable(reader, rows);
  else if (magic === NATIVE) readNative(reader, rows);
  else throw badVector("it begins with an unknown magic number", magic);
  if (reader.left > 0) throw badVector("bytes follow its end", reader.left);
  return rows;
}

function readPortable(reader: ByteReader, rows: RowSet): void {
  const buckets = reader.u32();
  if (reader.u32() !== 0) throw badVector("it claims too many buckets");
  let last = -1;
  for (let i = 0; i < buckets; i++) {
    const key = reader.u32();
    if (key <= last || key >= FIRST_BAD_KEY)
      throw badVector("a key of a bucket is out of order or range", key);
    last = key;
    readBitmap(reader, key, rows);
  }
}

function readNative(reader: ByteReader, rows: RowSet): void {
  const buckets = reader.u32();
  for (let key = 0; key < buckets; key++) {
    const bucket = new ByteReader(reader.take(reader.u32()));
    if (key >= FIRST_BAD_KEY) throw badVector("it has too many buckets", buckets);
    readBitmap(bucket, key, rows);
    if (bucket.left > 0) throw badVector("a bucket is shorter than it claims", key);
  }
}

/** One 32-bit bitmap, the bucket of `key`. */
function readBitmap(reader: ByteReader, key: number, rows: RowSet): void {
  const cookie = reader.u32();
  const hasRuns = (cookie & 0xffff) === WITH_RUNS;
  if (!hasRuns && cookie !== WITHOUT_RUNS) throw badVector("a bitmap begins with an unknown cookie", cookie);
  const count = hasRuns ? (cookie >>> 16) + 1 : reader.u32();
  if (count > BUCKET_CONTAINERS) throw badVector("a bitmap claims too many containers", count);
  const isRun = hasRuns ? reader.take(Math.ceil(count / 8)) : new Uint8Array();
  const about = reader.u16s(2 * count);
  // Containers follow one another in order; their offsets only help who wants one of them.
  if (!hasRuns || count >= LISTED_FROM) reader.take(4 * count);
  let last = -1;
  for (let i = 0; i < count; i++) {
    const high = about[2 * i] ?? 0;
    const size = (about[2 * i + 1] ?? 0) + 1;
    if (high <= last) throw badVector("containers of a bitmap are out of order", high);
    last = high;
    const isRuns = (((isRun[i >> 3] ?? 0) >> (i & 7)) & 1) === 1;
    const container = isRuns ? readRuns(reader, size) : readValues(reader, size);
    rows.put(key * BUCKET_CONTAINERS + high, container);
  }
}

function readValues(reader: ByteReader, size: number): Container {
  if (size > MOST_SORTED) {
    const bits = reader.take(BITMAP_BYTES).slice();
    if (countBits(bits) !== size) throw badVector("a bitmap does not hold what its header claims", size);
    return Container.ofBits(bits, size);
  }
  const values = reader.u16s(size);
  for (let i = 1; i < size; i++) {
    if ((values[i] ?? 0) <= (values[i - 1] ?? 0)) throw badVector("values of a container are out of order");
  }
  return Container.ofSorted(values);
}

function readRuns(reader: ByteReader, size: number): Container {
  const bounds = reader.u16s(2 * reader.u16());
  let last = -1;
  let held = 0;
  for (let i = 0; i < bounds.length; i += 2) {
    // A run is its first value and the number of those that follow.
    const first = bounds[i] ?? 0;
    const more = bounds[i + 1] ?? 0;
    if (first <= last || first + more >= CONTAINER_VALUES) {
      throw badVector("runs of a container overlap or leave it", first);
    }
    last = first + more;
    bounds[i + 1] = last;
    held += more + 1;
  }
  if (held !== size) throw badVector("runs of a container do not hold what its header claims", size);
  return Container.ofRuns(bounds, held);
}

/** Little-endian numbers one after the other; none beyond the end. */
class ByteReader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  u16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  u16s(count: number): Uint16Array {
    const start = this.advance(2 * count);
    const values = new Uint16Array(count);
    for (let i = 0; i < count; i++) values[i] = this.view.getUint16(start + 2 * i, true);
    return values;
  }

  /** The next bytes, not copied. */
  take(count: number): Uint8Array {
    const start = this.advance(count);
    return this.bytes.subarray(start, start + count);
  }

  private advance(count: number): number {
    if (count > this.left) throw badVector("its bytes end too early", this.bytes.length);
    const start = this.at;
    this.at += count;
    return start;
  }
}
