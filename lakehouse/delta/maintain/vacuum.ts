/**
 * Vacuum: deleting the files under a table's folder that no version within the retention needs.
 *
 * A writer that commits while this runs names files that it has just written, which are younger than any sensible
 * retention. Only a restore brings old files back: each batch is compared with the newest version once more before
 * it is deleted. A note in the log before the first deletion, and one after the last, as Spark writes them, say who
 * took the files of versions that cannot be read any more; where nothing is to be deleted nothing is noted.
 */
import { TerminalError } from "../../errors.ts";
import { ignoreProgress, type ProgressListener } from "../../progress.ts";
import type { StoredObject } from "../../store/store.ts";
import { attempt } from "../attempt.ts";
import { readAhead } from "../log/read-ahead.ts";
import { checkWritable } from "../protocol.ts";
import { retentionOf } from "../retention.ts";
import type { Snapshot } from "../snapshot.ts";
import type { DeltaTable } from "../table.ts";
import { neededBy, planVacuum } from "./vacuum-plan.ts";

const HOUR_MS = 3600 * 1000;
/** Below this, running writers and readers may lose files. */
const LEAST_HOURS = 168;
/** Deletions under way at the same time. */
const PARALLEL = 16;
/** Deletions between two looks at the newest version. */
const BATCH = 1000;

export interface VacuumOptions {
  /** By default the table's `delta.deletedFileRetentionDuration`, seven days. */
  readonly retainHours?: number;
  /** Allows less than 168 hours: nobody may be writing, or reading older versions, meanwhile. */
  readonly force?: boolean;
  /** Only says what would go. */
  readonly dryRun?: boolean;
  readonly onProgress?: ProgressListener;
}

export interface VacuumResult {
  /** The version whose files were kept. */
  readonly version: number;
  /** Files that went, or would go. */
  readonly files: readonly StoredObject[];
  readonly bytes: number;
  readonly retainedHours: number;
}

/** Deletes what is not needed. Rejects a short retention with `DELTA_SHORT_RETENTION` unless it is forced. */
export async function vacuumTable(table: DeltaTable, options: VacuumOptions = {}): Promise<VacuumResult> {
  const { dryRun = false, onProgress = ignoreProgress } = options;
  const task = "vacuum";
  let retention = 0;
  const cutOffFor = (base: Snapshot) => {
    checkWritable(base.protocol, base.metadata, table.store.root);
    retention = retentionFor(base, options);
    return table.now() - retention;
  };
  // What is refused is refused before the work of a listing.
  cutOffFor(await table.existingSnapshot());
  onProgress({ task, state: "running", note: "listing files" });
  const result = (base: Snapshot, files: readonly StoredObject[]) => ({
    version: base.version,
    files,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    retainedHours: retention / HOUR_MS,
  });
  if (dryRun) {
    const { base, expired } = await planVacuum(table, cutOffFor);
    onProgress({ task, state: "done", note: `${expired.length} files would go` });
    return result(base, expired);
  }
  let plan = await planVacuum(table, cutOffFor);
  let isNew = true;
  // Lost to a commit that changed what the table is, which may mean that this kernel must not touch it any more.
  await attempt(table.store.root, async () => {
    if (!isNew) plan = await planVacuum(table, cutOffFor);
    isNew = false;
    if (plan.expired.length === 0) return undefined;
    return {
      outcome: await note(table, plan.base, "VACUUM START", options, result(plan.base, plan.expired)),
    };
  });
  const deleted: StoredObject[] = [];
  for (let at = 0; at < plan.expired.length; at += BATCH) {
    const newest = await table.existingSnapshot();
    const needed = neededBy(newest, table.now() - retention);
    const batch = plan.expired.slice(at, at + BATCH).filter(({ path }) => !needed.has(path));
    for await (const file of readAhead(batch, PARALLEL, (file) =>
      table.store.delete(file.path).then(() => file),
    )) {
      deleted.push(file);
    }
    onProgress({
      task,
      state: "running",
      rows: deleted.length,
      totalRows: plan.expired.length,
      note: "deleting",
    });
  }
  const done = result(plan.base, deleted);
  if (plan.expired.length > 0) {
    await attempt(table.store.root, async () => ({
      outcome: await note(table, await table.existingSnapshot(), "VACUUM END", options, done),
    }));
  }
  onProgress({ task, state: "done", bytes: done.bytes, note: `${deleted.length} files deleted` });
  return done;
}

/** A commit that changes nothing, for the history. */
function note(
  table: DeltaTable,
  base: Snapshot,
  operation: "VACUUM START" | "VACUUM END",
  { force = false, retainHours }: VacuumOptions,
  { files, bytes }: Pick<VacuumResult, "files" | "bytes">,
) {
  const isStart = operation === "VACUUM START";
  return table.commit({
    base,
    operation,
    operationParameters: isStart
      ? {
          retentionCheckEnabled: String(!force),
          defaultRetentionMillis: String(tableRetention(base)),
          specifiedRetentionMillis: retainHours === undefined ? undefined : String(retainHours * HOUR_MS),
        }
      : { status: "COMPLETED" },
    operationMetrics: isStart
      ? { numFilesToDelete: String(files.length), sizeOfDataToDelete: String(bytes) }
      : { numDeletedFiles: String(files.length) },
    actions: [],
    reads: "nothing",
  });
}

function tableRetention({ metadata }: Snapshot): number {
  return (
    retentionOf(metadata.configuration, "delta.deletedFileRetentionDuration") ?? Number.POSITIVE_INFINITY
  );
}

/** The retention in milliseconds. A table that asks for less than a week itself has been thought about. */
function retentionFor(base: Snapshot, { retainHours, force = false }: VacuumOptions): number {
  const own = tableRetention(base);
  if (retainHours === undefined) return own;
  if (!Number.isFinite(retainHours) || retainHours < 0) {
    throw new TerminalError("this is no number of hours to retain files for", {
      code: "DELTA_BAD_RETENTION",
      value: retainHours,
      allowed: "hours, 0 or more",
    });
  }
  const least = Math.min(LEAST_HOURS * HOUR_MS, own);
  if (retainHours * HOUR_MS >= least || force) return retainHours * HOUR_MS;
  throw new TerminalError("files would go that running writers, or readers of older versions, may need", {
    code: "DELTA_SHORT_RETENTION",
    value: `${retainHours} hours`,
    allowed: `${least / HOUR_MS} hours or more`,
    next: "Retain them for longer, or force it when nobody uses the table.",
  });
}
