/** Where the files that a log names are (PROTOCOL.md, "Data Files": relative to the table, or absolute). */
import { resolve } from "node:path";
import { TerminalError } from "../../errors.ts";
import type { ObjectStore } from "../../store/store.ts";
import { canonicalPath } from "../actions.ts";

/** An object of the table's store, or a file of this machine. */
export type FilePlace = { readonly path: string } | { readonly file: string };

const SCHEME = /^[a-z][a-z0-9+.-]+:/i;

/**
 * The place of a path of the log, decoded once. Absolute paths are taken below the table's root, and anywhere on this
 * machine for a table that is on it too. Rejects others with `DELTA_FOREIGN_FILE`.
 */
export function placeOf(store: ObjectStore, path: string): FilePlace {
  const decoded = canonicalPath(path);
  const root = store.root.replace(/\/+$/, "");
  if (!SCHEME.test(decoded) && !decoded.startsWith("/")) {
    if (isInside(decoded)) return { path: decoded };
    throw foreign(store, path);
  }
  // Spark has several names for the scheme of S3.
  const absolute = decoded.replace(/^s3[an]:/i, "s3:");
  const below = absolute.startsWith(`${root}/`) ? absolute.slice(root.length + 1) : undefined;
  if (below !== undefined && isInside(below)) return { path: below };
  // The log of a bucket must not make us read files of this machine.
  if (decoded.startsWith("/") && root.startsWith("/")) return { file: resolve(decoded) };
  throw foreign(store, path);
}

/** Whether a path has only names between its slashes. */
function isInside(path: string): boolean {
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

function foreign(store: ObjectStore, path: string): TerminalError {
  return new TerminalError(`${store.root} names a file outside of it`, {
    code: "DELTA_FOREIGN_FILE",
    value: path,
    allowed: "paths below the table's root; absolute paths where the table is on this machine",
    next: "Read the table where that file is, or copy the table with its files.",
  });
}

/** An address as an argument of `read_parquet`, which takes `[`, `*` and `?` for patterns. */
export function withoutPatterns(address: string): string {
  return address.replace(/[[*?]/g, "[$&]");
}
