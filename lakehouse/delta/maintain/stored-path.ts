/** Where the files that a log names lie on the table's store. */
import type { ObjectStore } from "../../store/store.ts";
import { canonicalPath } from "../actions.ts";
import { type DeletionVector, relativePath } from "../deletion-vector/descriptor.ts";

/** The store's path of a file of the log; undefined where it lies outside of the table's folder. */
export function storedPath(store: Pick<ObjectStore, "root">, path: string): string | undefined {
  const place = absolute(path);
  if (place === undefined) return canonicalPath(path);
  const root = `${store.root.replace(/\/+$/, "")}/`;
  return place.startsWith(root) ? place.slice(root.length) : undefined;
}

/** The store's path of a vector's file; undefined for one in the log itself or outside of the table's folder. */
export function storedVectorPath(
  store: Pick<ObjectStore, "root">,
  vector: DeletionVector,
): string | undefined {
  if (vector.storageType === "i") return undefined;
  return vector.storageType === "u" ? relativePath(vector) : storedPath(store, vector.pathOrInlineDv);
}

/** A path with a scheme, or from the root of the file system, decoded and with one spelling of S3's scheme. */
function absolute(path: string): string | undefined {
  const place = canonicalPath(path).replace(/^s3[an]:/i, "s3:");
  return /^(?:\/|[a-z][a-z0-9+.-]*:\/)/i.test(place) ? place : undefined;
}

/**
 * Paths of the store that must stay. Where it is not sure which file a path means, all that it may mean stay: an
 * unneeded file costs little, a needed one does not come back.
 */
export class NeededPaths {
  private readonly paths = new Set<string>();

  /** Adds a data or change file as the log names it. */
  addFile(path: string): void {
    const place = absolute(path);
    if (place === undefined) {
      this.paths.add(canonicalPath(path));
      // A writer that forgot to encode names means the path as it stands.
      this.paths.add(path);
      return;
    }
    // The folder may be reached by another name than the writer's, through a link or after a move.
    const parts = place.split("/");
    for (let i = 1; i < parts.length; i++) this.paths.add(parts.slice(i).join("/"));
  }

  /** Adds the file of a deletion vector. Throws `DELTA_BAD_DELETION_VECTOR` where it has no name. */
  addVector(vector: DeletionVector | undefined): void {
    if (vector === undefined || vector.storageType === "i") return;
    if (vector.storageType === "u") this.paths.add(relativePath(vector));
    else this.addFile(vector.pathOrInlineDv);
  }

  has(storedPath: string): boolean {
    return this.paths.has(storedPath);
  }
}
