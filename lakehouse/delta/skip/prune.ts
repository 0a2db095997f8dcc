/** Data skipping: the files that a predicate cannot concern are not read. */
import { mayMatch, type SkippableFile } from "./evaluate.ts";
import type { Predicate } from "./predicate.ts";
import type { TableInfo } from "./table-info.ts";

/** Files by whether they must be read, each part in the order given. */
export interface Pruned<File> {
  readonly kept: File[];
  /** Certainly without a row that satisfies the predicate. */
  readonly skipped: File[];
}

/** Parts the files into those that may hold rows that satisfy the predicate and those that certainly do not. */
export function pruneFiles<File extends SkippableFile>(
  files: Iterable<File>,
  predicate: Predicate,
  table: TableInfo,
): Pruned<File> {
  const kept: File[] = [];
  const skipped: File[] = [];
  for (const file of files) (mayMatch(predicate, file, table) ? kept : skipped).push(file);
  return { kept, skipped };
}
