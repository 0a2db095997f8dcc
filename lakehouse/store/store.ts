/**
 * The port to storage. A store is a flat space of objects named by relative paths with `/` between parts, as on
 * S3; folders exist only as prefixes. Everything that Ingot needs of a file system or a bucket is in here, and
 * everything in here can be had from both.
 */

/** What a listing says of one object. */
export interface StoredObject {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number;
}

/** Objects under one root. Every method rejects with a transient or terminal error when the medium fails. */
export interface ObjectStore {
  /** Where this is, for people: a folder or an `s3://` address. Never holds a secret. */
  readonly root: string;
  /** Objects whose path begins with `prefix`, at or after `from`, in ascending order of path. */
  list(prefix: string, from?: string): Promise<StoredObject[]>;
  /** The whole object, or undefined where there is none. */
  get(path: string): Promise<Uint8Array | undefined>;
  /** Bytes `start` up to, not including, `end`; fewer where the object is shorter; undefined where there is none. */
  getRange(path: string, start: number, end: number): Promise<Uint8Array | undefined>;
  /** Writes the object, replacing what was there; readers see the old or the new one, never a part. */
  put(path: string, bytes: Uint8Array): Promise<void>;
  /**
   * Writes the object unless there is one: of any number of rivals exactly one gets `true`. Durable when it
   * resolves. When it rejects, the object may or may not have been written.
   */
  putIfAbsent(path: string, bytes: Uint8Array): Promise<boolean>;
  /** Takes over a finished local file as an object; the local file is gone afterwards. */
  putFile(path: string, localFile: string): Promise<void>;
  /** Removes the object; nothing happens where there is none. */
  delete(path: string): Promise<void>;
  /** A local path or URL that DuckDB can open for this object, or undefined where its bytes must be fetched. */
  address(path: string): string | undefined;
  /** A local folder for files on their way to `putFile`; on the same device where that makes the move cheap. */
  stagingFolder(): Promise<string>;
  /** The same store seen from a sub-folder. */
  within(path: string): ObjectStore;
}

/** Refuses paths that would leave the root or that name no object. */
export function checkPath(path: string): string {
  const parts = path.split("/");
  if (
    path === "" ||
    path.startsWith("/") ||
    parts.includes("..") ||
    parts.includes(".") ||
    parts.includes("")
  ) {
    throw new RangeError(`"${path}" is not a path inside a store`);
  }
  return path;
}
