/** Which files an optimise rewrites, and which of them together. */
import type { AddFile } from "../actions.ts";
import { rowCount } from "../stats.ts";
import { isClustered } from "./z-order-tag.ts";

/** Files of one partition that are rewritten together. */
export interface Bin {
  readonly files: readonly AddFile[];
  /** About what their live rows take. */
  readonly bytes: number;
}

export interface PlanOptions {
  readonly targetFileBytes: number;
  /** Files of fewer bytes are combined with others. */
  readonly smallerThan: number;
  /** Rewrites all files that have deletion vectors, not only those that lost many rows. */
  readonly purge: boolean;
}

/** A deletion vector is worth a rewrite when it hides more than this share of the rows. */
const WORTH_PURGING = 0.05;
/** Bins that may take another file; the oldest is closed when there are more, so that planning stays linear. */
const OPEN_BINS = 16;
/** A partitioned write keeps a buffer for each of its files. */
const MOST_ORDERED_FILES = 64;

/**
 * Packs small files, and those with deletion vectors to purge, into bins of about the target size, each within a
 * partition and in the order in which files came to be. A file alone stays as it is unless it is to be purged.
 */
export function planBins(files: Iterable<AddFile>, options: PlanOptions): Bin[] {
  const { targetFileBytes, smallerThan } = options;
  const bins: Bin[] = [];
  for (const partition of byPartition(files)) {
    const wanted = partition.filter((f) => liveBytes(f) < smallerThan || isPurged(f, options));
    bins.push(...packed(wanted, targetFileBytes, OPEN_BINS));
  }
  return bins.filter((bin) => bin.files.length > 1 || bin.files.some((f) => isPurged(f, options)));
}

/** Packs all files of the partitions that are not wholly in the order of these columns (names in files). */
export function planOrderedBins(
  files: Iterable<AddFile>,
  columns: readonly string[],
  options: PlanOptions & { readonly maxBatchBytes: number },
): Bin[] {
  const most = Math.min(options.maxBatchBytes, options.targetFileBytes * MOST_ORDERED_FILES);
  return byPartition(files)
    .filter((partition) => partition.some((f) => !isClustered(f, columns) || isPurged(f, options)))
    .flatMap((partition) => packed(partition, most, 1));
}

/** Cuts bins into groups of at most so many bytes; a larger bin is a group of its own. */
export function batchesOf(bins: readonly Bin[], maxBatchBytes: number): Bin[][] {
  const batches: Bin[][] = [];
  let room = 0;
  for (const bin of bins) {
    const last = batches.at(-1);
    if (last === undefined || bin.bytes > room) batches.push([bin]);
    else last.push(bin);
    room = (last === undefined || bin.bytes > room ? maxBatchBytes : room) - bin.bytes;
  }
  return batches;
}

function packed(files: readonly AddFile[], targetBytes: number, openBins: number): Bin[] {
  const closed: Bin[] = [];
  const open: { files: AddFile[]; bytes: number }[] = [];
  for (const file of files) {
    const bytes = liveBytes(file);
    const fitting = open.find((bin) => bin.bytes + bytes <= targetBytes);
    if (fitting) {
      fitting.files.push(file);
      fitting.bytes += bytes;
      continue;
    }
    open.push({ files: [file], bytes });
    if (open.length > openBins) closed.push(...open.splice(0, 1));
  }
  return [...closed, ...open];
}

/** Files by partition, in the order in which they came to be: neighbours in time often are neighbours in value. */
function byPartition(files: Iterable<AddFile>): AddFile[][] {
  const partitions = new Map<string, AddFile[]>();
  for (const file of files) {
    const key = JSON.stringify(Object.entries(file.partitionValues).sort(([a], [b]) => (a < b ? -1 : 1)));
    const partition = partitions.get(key);
    if (partition) partition.push(file);
    else partitions.set(key, [file]);
  }
  const inOrder = (a: AddFile, b: AddFile) =>
    a.modificationTime - b.modificationTime || (a.path < b.path ? -1 : 1);
  return [...partitions.values()].map((partition) => partition.sort(inOrder));
}

function isPurged(file: AddFile, { purge }: Pick<PlanOptions, "purge">): boolean {
  return file.deletionVector !== undefined && (purge || deletedShare(file) > WORTH_PURGING);
}

function deletedShare(file: AddFile): number {
  const rows = rowCount(file) ?? 0;
  return rows > 0 ? Math.min(1, (file.deletionVector?.cardinality ?? 0) / rows) : 0;
}

function liveBytes(file: AddFile): number {
  return file.size * (1 - deletedShare(file));
}
