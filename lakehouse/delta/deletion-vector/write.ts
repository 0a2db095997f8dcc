/** Writing deletion vectors (PROTOCOL.md, "Deletion Vector File Storage Format"). */
import { randomUUID } from "node:crypto";
import type { ObjectStore } from "../../store/store.ts";
import { crc32 } from "./crc32.ts";
import { type DeletionVector, deletionVectorPath, encodeUuid } from "./descriptor.ts";
import type { RowSet } from "./row-set.ts";
import { serializeRoaring } from "./serialize.ts";
import { encodeZ85 } from "./z85.ts";

/** The version of the file format, its first byte. */
export const FILE_VERSION = 1;
/** Bytes around a vector in a file: its size before it, its checksum after it. */
export const FRAME_BYTES = 8;
/** A file is closed beyond this size: an offset must fit 31 bits, and what is written is held in memory. */
const FULL_FILE_BYTES = 64 * 1024 * 1024;

export interface VectorPlacement {
  /**
   * Vectors of at most so many bytes are kept in the log itself. By default none: every reader that knows vectors
   * reads inline ones, but Spark writes none, so they are the less travelled road.
   */
  readonly inlineBytes?: number;
}

/**
 * Writes these sets, many to a file, under fresh names directly below the table's root, and gives their descriptors
 * in the same order. No commit names the files yet.
 */
export async function writeDeletionVectors(
  store: ObjectStore,
  sets: readonly RowSet[],
  placement: VectorPlacement = {},
): Promise<DeletionVector[]> {
  const vectors: DeletionVector[] = [];
  let file = new VectorFile();
  for (const rows of sets) {
    const data = serializeRoaring(rows);
    const about = { sizeInBytes: data.length, cardinality: rows.cardinality };
    if (data.length <= (placement.inlineBytes ?? 0)) {
      vectors.push({ storageType: "i", pathOrInlineDv: encodeZ85(data), ...about });
      continue;
    }
    if (file.size > FULL_FILE_BYTES) {
      await file.save(store);
      file = new VectorFile();
    }
    vectors.push({
      storageType: "u",
      pathOrInlineDv: encodeUuid(file.uuid),
      offset: file.add(data),
      ...about,
    });
  }
  await file.save(store);
  return vectors;
}

/** A file of vectors that is being put together. */
class VectorFile {
  readonly uuid = randomUUID();
  private readonly parts: Uint8Array[] = [Uint8Array.of(FILE_VERSION)];
  size = 1;

  /** Appends a serialised vector and gives its offset. */
  add(data: Uint8Array): number {
    const offset = this.size;
    const [size, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    size.writeUInt32BE(data.length);
    checksum.writeUInt32BE(crc32(data));
    this.parts.push(size, data, checksum);
    this.size += data.length + FRAME_BYTES;
    return offset;
  }

  /** Stores the file, unless it holds nothing. */
  async save(store: ObjectStore): Promise<void> {
    if (this.parts.length > 1) await store.put(deletionVectorPath(this.uuid), Buffer.concat(this.parts));
  }
}
