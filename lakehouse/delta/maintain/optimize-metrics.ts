/** What a commit of an optimise says of itself in the history, by the names that Spark gives it. */
import type { AddFile } from "../actions.ts";

export function metricsOf(added: readonly AddFile[], removed: readonly AddFile[]): Record<string, string> {
  const sizes = added.map((file) => file.size).sort((a, b) => a - b);
  const at = (share: number) => sizes[Math.min(sizes.length - 1, Math.floor(share * sizes.length))] ?? 0;
  const metrics = {
    numAddedFiles: added.length,
    numRemovedFiles: removed.length,
    numAddedBytes: bytesOf(added),
    numRemovedBytes: bytesOf(removed),
    numDeletionVectorsRemoved: removed.filter((file) => file.deletionVector !== undefined).length,
    minFileSize: at(0),
    p25FileSize: at(0.25),
    p50FileSize: at(0.5),
    p75FileSize: at(0.75),
    maxFileSize: at(1),
  };
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, String(value)]));
}

/** Bytes of these files. */
export function bytesOf(files: Iterable<Pick<AddFile, "size">>): number {
  let bytes = 0;
  for (const file of files) bytes += file.size;
  return bytes;
}
