/**
 * Optimize: small files become larger ones, deletion vectors are worked in, and rows may be put into z-order. No row
 * changes: commits say so (`dataChange` is false), appends that land meanwhile stand, and where another commit
 * changed rows of files that were being rewritten, its changes stand and the files are taken up anew.
 */
import { TerminalError } from "../../errors.ts";
import { ignoreProgress, type ProgressListener } from "../../progress.ts";
import type { AddFile } from "../actions.ts";
import { selectFiles } from "../change/select-files.ts";
import { existingField } from "../evolve.ts";
import { layoutOf, nameInFiles } from "../layout.ts";
import { checkWritable } from "../protocol.ts";
import type { Snapshot } from "../snapshot.ts";
import type { DeltaTable } from "../table.ts";
import { type Rewriting, rewriteBatch } from "./optimize-batch.ts";
import { bytesOf } from "./optimize-metrics.ts";
import { type Bin, batchesOf, planBins, planOrderedBins } from "./optimize-plan.ts";
import { isOrderable } from "./z-order-sql.ts";

const GIB = 1024 ** 3;
/** Rewritten files may turn out to fit together, and rivals may change files: the table is looked at again. */
const MOST_PASSES = 10;

export interface OptimizeOptions {
  /** SQL condition; only files that may hold such rows are looked at. */
  readonly where?: string;
  /** Columns by whose values rows are put next to each other; all selected files are rewritten. */
  readonly zOrderBy?: readonly string[];
  /** Also rewrites files of which few rows are deleted; by default more than a twentieth must be. */
  readonly purge?: boolean;
  /** Bytes a file should have; by default what the table's properties say, else 128 MiB. */
  readonly targetFileBytes?: number;
  /** Files of fewer bytes are combined; by default the target size. */
  readonly smallerThan?: number;
  /** Bytes that one commit may rewrite, 10 GiB by default: as much is done again when it is lost. */
  readonly maxBatchBytes?: number;
  readonly onProgress?: ProgressListener;
}

export interface OptimizeResult {
  /** Newest version that was committed; undefined where nothing was to be done. */
  readonly version: number | undefined;
  readonly commits: number;
  readonly addedFiles: number;
  readonly removedFiles: number;
  readonly addedBytes: number;
  readonly removedBytes: number;
  /** Deletion vectors whose rows are now gone from the files. */
  readonly purgedVectors: number;
}

/** Optimises a table. Done again at once it finds nothing to do. */
export async function optimizeTable(
  table: DeltaTable,
  options: OptimizeOptions = {},
): Promise<OptimizeResult> {
  const { onProgress = ignoreProgress, maxBatchBytes = 10 * GIB, zOrderBy = [] } = options;
  const task = zOrderBy.length === 0 ? "optimize" : "optimize, z-order";
  const added: AddFile[] = [];
  const removed: AddFile[] = [];
  let [version, commits]: [number | undefined, number] = [undefined, 0];
  for (let pass = 0; pass < MOST_PASSES; pass++) {
    const base = await table.existingSnapshot();
    checkWritable(base.protocol, base.metadata, table.store.root);
    const rewriting = rewritingFor(base, options);
    const bins = await plan(table, base, options, rewriting);
    if (bins.length === 0) break;
    const files = bins.reduce((sum, bin) => sum + bin.files.length, 0);
    let [done, lost] = [0, 0];
    for (const batch of batchesOf(bins, maxBatchBytes)) {
      onProgress({ task, state: "running", bytes: bytesOf(added), note: `${done} of ${files} files` });
      const result = await rewriteBatch(table, base, batch, rewriting);
      added.push(...result.added);
      removed.push(...result.removed);
      done += batch.reduce((sum, bin) => sum + bin.files.length, 0);
      lost += result.lost;
      version = result.version ?? version;
      commits += result.version === undefined ? 0 : 1;
    }
    // What is in z-order is not touched again for what others append meanwhile.
    if (zOrderBy.length > 0 && lost === 0) break;
  }
  onProgress({
    task,
    state: "done",
    bytes: bytesOf(added),
    note: `${removed.length} files into ${added.length}`,
  });
  return {
    version,
    commits,
    addedFiles: added.length,
    removedFiles: removed.length,
    addedBytes: bytesOf(added),
    removedBytes: bytesOf(removed),
    purgedVectors: removed.filter((file) => file.deletionVector !== undefined).length,
  };
}

async function plan(
  table: DeltaTable,
  base: Snapshot,
  { where, purge = false, smallerThan, maxBatchBytes = 10 * GIB }: OptimizeOptions,
  { targetFileBytes, zOrderBy }: Rewriting,
): Promise<Bin[]> {
  const selection = where === undefined ? undefined : await selectFiles(table.duckdb, base, where);
  const files = selection === undefined ? base.files.values() : [...selection.files, ...selection.whole];
  const options = { targetFileBytes, purge, smallerThan: smallerThan ?? targetFileBytes, maxBatchBytes };
  if (zOrderBy.length === 0) return planBins(files, options);
  return planOrderedBins(
    files,
    zOrderBy.map((column) => column.nameInFiles),
    options,
  );
}

function rewritingFor(base: Snapshot, { where, zOrderBy = [], targetFileBytes }: OptimizeOptions): Rewriting {
  const layout = layoutOf(base.metadata, base.schema);
  const target = targetFileBytes ?? layout.targetFileBytes;
  if (!(target >= 1) || !Number.isFinite(target)) {
    throw new TerminalError("a file cannot have this size", {
      code: "DELTA_BAD_FILE_SIZE",
      value: targetFileBytes,
      allowed: "bytes, 1 or more",
    });
  }
  const columns = zOrderBy.map((name) => {
    const field = existingField(base.schema, name);
    if (!isOrderable(field) || base.metadata.partitionColumns.includes(field.name)) {
      throw new TerminalError(`column ${name} cannot order the rows of files`, {
        code: "DELTA_BAD_Z_ORDER",
        value: name,
        allowed: base.schema.fields
          .filter((f) => isOrderable(f) && !base.metadata.partitionColumns.includes(f.name))
          .map((f) => f.name)
          .join(", "),
        next: "Name columns of plain values that do not partition the table.",
      });
    }
    return { field, nameInFiles: nameInFiles(layout, field) };
  });
  return {
    targetFileBytes: target,
    zOrderBy: columns,
    operationParameters: {
      predicate: JSON.stringify(where === undefined ? [] : [where]),
      zOrderBy: JSON.stringify(columns.map(({ field }) => field.name)),
      auto: "false",
    },
  };
}
