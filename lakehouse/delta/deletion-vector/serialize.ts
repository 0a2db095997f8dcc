/** Writing the serialised form of deletion vectors; see roaring.ts for the format. */
import { BITMAP_BYTES, type Container, MOST_SORTED } from "./container.ts";
import { BUCKET_CONTAINERS, LISTED_FROM, PORTABLE, WITH_RUNS, WITHOUT_RUNS } from "./roaring.ts";
import type { RowSet } from "./row-set.ts";

/** A container in the smallest of its three forms. */
interface Part {
  readonly high: number;
  readonly container: Container;
  readonly bytes: number;
  readonly runs: Uint16Array | undefined;
}

/** The bytes of a deletion vector, in the portable form. Their number is the `sizeInBytes` of its descriptor. */
export function serializeRoaring(rows: RowSet): Uint8Array {
  const buckets = new Map<number, Part[]>();
  for (const [chunk, container] of rows.containers()) {
    const key = Math.floor(chunk / BUCKET_CONTAINERS);
    const parts = buckets.get(key) ?? [];
    parts.push(smallest(chunk - key * BUCKET_CONTAINERS, container));
    buckets.set(key, parts);
  }
  const sizes = [...buckets.values()].map((parts) => 4 + headerBytes(parts) + dataBytes(parts));
  const writer = new ByteWriter(sizes.reduce((sum, size) => sum + size, 12));
  writer.u32(PORTABLE);
  writer.u32(buckets.size);
  writer.u32(0);
  for (const [key, parts] of buckets) {
    writer.u32(key);
    writeBitmap(writer, parts);
  }
  return writer.bytes;
}

function smallest(high: number, container: Container): Part {
  const plain = container.count > MOST_SORTED ? BITMAP_BYTES : 2 * container.count;
  // Runs take two bytes and four more each; they must be the smaller form to be one.
  const runs = container.runs(Math.max(0, Math.floor((plain - 3) / 4)));
  return { high, container, runs, bytes: runs ? 2 + 2 * runs.length : plain };
}

const tellsRuns = (parts: readonly Part[]) => parts.some((part) => part.runs !== undefined);
const dataBytes = (parts: readonly Part[]) => parts.reduce((sum, part) => sum + part.bytes, 0);

function headerBytes(parts: readonly Part[]): number {
  if (!tellsRuns(parts)) return 8 + 8 * parts.length;
  return 4 + Math.ceil(parts.length / 8) + (parts.length < LISTED_FROM ? 4 : 8) * parts.length;
}

function writeBitmap(writer: ByteWriter, parts: readonly Part[]): void {
  if (tellsRuns(parts)) {
    writer.u32((((parts.length - 1) << 16) | WITH_RUNS) >>> 0);
    const flags = new Uint8Array(Math.ceil(parts.length / 8));
    parts.forEach(({ runs }, i) => {
      if (runs) flags[i >> 3] = (flags[i >> 3] ?? 0) | (1 << (i & 7));
    });
    writer.put(flags);
  } else {
    writer.u32(WITHOUT_RUNS);
    writer.u32(parts.length);
  }
  for (const { high, container } of parts) {
    writer.u16(high);
    writer.u16(container.count - 1);
  }
  if (!tellsRuns(parts) || parts.length >= LISTED_FROM) {
    let offset = headerBytes(parts);
    for (const { bytes } of parts) {
      writer.u32(offset);
      offset += bytes;
    }
  }
  for (const part of parts) writeData(writer, part);
}

function writeData(writer: ByteWriter, { container, runs }: Part): void {
  if (runs) {
    writer.u16(runs.length / 2);
    for (let i = 0; i < runs.length; i += 2) {
      const first = runs[i] ?? 0;
      writer.u16(first);
      writer.u16((runs[i + 1] ?? 0) - first);
    }
  } else if (container.count > MOST_SORTED) writer.put(container.bitmap());
  else for (const value of container.sorted()) writer.u16(value);
}

/** Little-endian numbers one after the other, into bytes of a size known before. */
class ByteWriter {
  readonly bytes: Uint8Array;
  private readonly view: DataView;
  private at = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.view = new DataView(this.bytes.buffer);
  }

  u16(value: number): void {
    this.view.setUint16(this.at, value, true);
    this.at += 2;
  }

  u32(value: number): void {
    this.view.setUint32(this.at, value, true);
    this.at += 4;
  }

  put(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.at);
    this.at += bytes.length;
  }
}
