/** Reading deletion vectors, wherever they are (PROTOCOL.md, "Deletion Vectors" and "Deletion Vector Format"). */
import { basename, dirname, resolve } from "node:path";
import { TerminalError } from "../../errors.ts";
import { LocalStore } from "../../store/local.ts";
import type { ObjectStore } from "../../store/store.ts";
import { canonicalPath } from "../actions.ts";
import { badVector } from "./bad-vector.ts";
import { crc32 } from "./crc32.ts";
import { type DeletionVector, relativePath } from "./descriptor.ts";
import { parseRoaring } from "./roaring.ts";
import { RowSet } from "./row-set.ts";
import { FILE_VERSION, FRAME_BYTES } from "./write.ts";
import { decodeZ85 } from "./z85.ts";

/** Bytes asked for at once: a descriptor that lies about its size must not make us allocate it. */
const PIECE_BYTES = 8 * 1024 * 1024;

/**
 * The rows that a vector of the table at `store` deletes. Rejects with `DELTA_BAD_DELETION_VECTOR` where its bytes,
 * checksum or cardinality are wrong, with `DELTA_MISSING_FILE` where its file is gone, and with
 * `DELTA_FOREIGN_FILE` where it lies in another bucket.
 */
export async function readDeletionVector(store: ObjectStore, vector: DeletionVector): Promise<RowSet> {
  // Writers may state an empty vector without any bytes.
  if (vector.cardinality === 0) return new RowSet();
  const rows = parseRoaring(
    vector.storageType === "i" ? inlineBytes(vector) : await fileBytes(store, vector),
  );
  if (rows.cardinality !== vector.cardinality) {
    throw badVector(`it holds ${rows.cardinality} rows, not the ${vector.cardinality} that the log says`);
  }
  return rows;
}

function inlineBytes({ pathOrInlineDv, sizeInBytes }: DeletionVector): Uint8Array {
  const bytes = decodeZ85(pathOrInlineDv);
  // Up to three bytes fill the last group.
  if (sizeInBytes > bytes.length || sizeInBytes <= bytes.length - 4) {
    throw badVector(`it has ${bytes.length} bytes inline where the log says ${sizeInBytes}`);
  }
  return bytes.subarray(0, sizeInBytes);
}

async function fileBytes(store: ObjectStore, vector: DeletionVector): Promise<Uint8Array> {
  const file = vector.storageType === "u" ? { store, path: relativePath(vector) } : locate(store, vector);
  const offset = vector.offset ?? 0;
  const [head, entry] = await Promise.all([
    readRange(file, 0, 1),
    readRange(file, offset, offset + vector.sizeInBytes + FRAME_BYTES),
  ]);
  if (head[0] !== FILE_VERSION) throw badVector(`${file.path} has an unknown version`, head[0]);
  const size = entry.readUInt32BE(0);
  if (size !== vector.sizeInBytes) {
    throw badVector(`${file.path} says ${size} bytes where the log says ${vector.sizeInBytes}`);
  }
  const data = entry.subarray(4, 4 + size);
  if (crc32(data) !== entry.readUInt32BE(4 + size)) {
    throw badVector(`the checksum in ${file.path} at ${offset} is wrong`);
  }
  return data;
}

interface Place {
  readonly store: ObjectStore;
  readonly path: string;
}

/** Where a vector with an absolute path is: in the table's own store, or in another local folder. */
function locate(store: ObjectStore, { pathOrInlineDv }: DeletionVector): Place {
  const address = canonicalPath(pathOrInlineDv).replace(/^s3[an]:/i, "s3:");
  const isLocal = address.startsWith("/");
  // Steps up and down are taken before asking what lies under the root.
  const place = isLocal ? resolve(address) : address;
  const root = store.root.replace(/\/+$/, "");
  if (place.startsWith(`${root}/`) && !/(^|\/)\.{0,2}(\/|$)/.test(place.slice(root.length + 1))) {
    return { store, path: place.slice(root.length + 1) };
  }
  if (isLocal) return { store: new LocalStore(dirname(place)), path: basename(place) };
  throw new TerminalError(`${store.root} names a deletion vector outside of it`, {
    code: "DELTA_FOREIGN_FILE",
    value: pathOrInlineDv,
    allowed: "files below the table's root, and file: URLs",
  });
}

/** Exactly these bytes. */
async function readRange({ store, path }: Place, start: number, end: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for (let at = start; at < end; at += PIECE_BYTES) {
    const stop = Math.min(end, at + PIECE_BYTES);
    const piece = await store.getRange(path, at, stop);
    if (piece === undefined) {
      throw new TerminalError(`${store.root} has lost the deletion vectors of ${path}`, {
        code: "DELTA_MISSING_FILE",
        value: path,
      });
    }
    if (piece.length < stop - at) throw badVector(`${path} ends too early`, at + piece.length);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
