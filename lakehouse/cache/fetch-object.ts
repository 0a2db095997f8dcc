/** An object of a store as a local file. */
import { open } from "node:fs/promises";
import { TransientError } from "../errors.ts";
import type { ObjectStore } from "../store/store.ts";

/** Bytes asked for at once: memory does not grow with the object. */
const PIECE_BYTES = 8 * 1024 * 1024;

/**
 * Writes the object to a new local file; false where there is none. `size`: its bytes, undefined where they are not
 * known. Rejects with `STORE_SHORT_READ` where it has not as many.
 */
export async function fetchObject(
  store: ObjectStore,
  path: string,
  size: number | undefined,
  target: string,
): Promise<boolean> {
  const file = await open(target, "wx", 0o600);
  try {
    // One byte more than there should be tells an object that is longer.
    const most = size === undefined ? Number.POSITIVE_INFINITY : size + 1;
    let at = 0;
    while (at < most) {
      const asked = Math.min(PIECE_BYTES, most - at);
      const piece = await store.getRange(path, at, at + asked);
      if (piece === undefined) return false;
      for (let done = 0; done < piece.length; ) {
        done += (await file.write(piece, done, piece.length - done, at + done)).bytesWritten;
      }
      at += piece.length;
      if (piece.length < asked) break;
    }
    if (size !== undefined && at !== size) throw wrongSize(store, path, size, at);
    return true;
  } finally {
    await file.close();
  }
}

function wrongSize(store: ObjectStore, path: string, size: number, found: number): TransientError {
  return new TransientError(`${store.root} gave other bytes of ${path} than the log promises`, {
    code: "STORE_SHORT_READ",
    value: `${found} bytes`,
    allowed: `${size} bytes`,
    next: "Read again; if it stays so, the file is damaged: restore it from a backup.",
  });
}
