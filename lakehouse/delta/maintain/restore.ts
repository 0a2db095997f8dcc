/** Restore: one commit after which the table holds what it held at an earlier version. */
import { TerminalError } from "../../errors.ts";
import type { AddFile } from "../actions.ts";
import { attempt } from "../attempt.ts";
import { checkWritable } from "../protocol.ts";
import type { Snapshot } from "../snapshot.ts";
import type { DeltaTable } from "../table.ts";
import { findMissing } from "./find-missing.ts";
import { bytesOf } from "./optimize-metrics.ts";
import { planRestore, type RestorePlan, restoreActions } from "./restore-plan.ts";

/** Paths that an error names. */
const SHOWN = 5;

/** Which version to go back to: by number, or the newest at or before an instant. */
export type RestorePoint = { readonly version: number } | { readonly timestamp: Date };

export interface RestoreOptions {
  /** Goes back without the files that were vacuumed: their rows are lost. */
  readonly ignoreMissing?: boolean;
  /** Only says what would change. */
  readonly dryRun?: boolean;
}

export interface RestoreResult {
  /** The version that was restored. */
  readonly restored: number;
  /** The version that the restore made; undefined where nothing differs, or in a dry run. */
  readonly version: number | undefined;
  readonly addedFiles: number;
  readonly addedBytes: number;
  readonly removedFiles: number;
  readonly removedBytes: number;
  /** What besides files goes back. */
  readonly changes: readonly ("protocol" | "metadata" | "clustering")[];
  /** Files that the version had and that are gone. */
  readonly missing: readonly string[];
}

/**
 * Goes back to a version; see `planRestore` for what does not go back. Rejects with `DELTA_FILES_VACUUMED` where files
 * of that version are gone. A commit that lands meanwhile is undone as well.
 */
export async function restoreTable(
  table: DeltaTable,
  point: RestorePoint,
  options: RestoreOptions = {},
): Promise<RestoreResult> {
  const target = await table.at(point);
  let result: RestoreResult | undefined;
  const done = await attempt(table.store.root, async () => {
    const base = await table.existingSnapshot();
    checkWritable(base.protocol, base.metadata, table.store.root);
    const { plan, missing } = await availablePlan(table, base, target, options);
    result = resultOf(target, plan, missing);
    const isSame = plan.added.length + plan.removed.length + plan.state.length === 0;
    if (isSame || options.dryRun) return undefined;
    const outcome = await table.commit({
      base,
      operation: "RESTORE",
      operationParameters: {
        version: "version" in point ? String(point.version) : undefined,
        timestamp: "timestamp" in point ? point.timestamp.toISOString() : undefined,
      },
      operationMetrics: metricsOf(plan, target, missing),
      actions: restoreActions(plan, table.now()),
      reads: "table",
    });
    return { outcome };
  });
  if (result === undefined) throw new RangeError("a restore was not planned");
  return { ...result, version: done?.version };
}

async function availablePlan(
  table: DeltaTable,
  base: Snapshot,
  target: Snapshot,
  { ignoreMissing = false, dryRun = false }: RestoreOptions,
): Promise<{ readonly plan: RestorePlan; readonly missing: readonly AddFile[] }> {
  const plan = planRestore(base, target);
  const missing = await findMissing(table.store, plan.added);
  if (missing.length > 0 && !ignoreMissing && !dryRun) throw vacuumed(table, target, missing);
  const gone = new Set(missing);
  return { plan: { ...plan, added: plan.added.filter((file) => !gone.has(file)) }, missing };
}

function vacuumed(table: DeltaTable, target: Snapshot, missing: readonly AddFile[]): TerminalError {
  const shown = missing.slice(0, SHOWN).map((file) => file.path);
  const more = missing.length > SHOWN ? [`and ${missing.length - SHOWN} more`] : [];
  return new TerminalError(
    `version ${target.version} of ${table.store.root} cannot be restored: ${missing.length} of its files are gone`,
    {
      code: "DELTA_FILES_VACUUMED",
      value: [...shown, ...more].join(", "),
      allowed: "a version whose files have not been vacuumed",
      next: "Choose a later version, or go back without these rows by ignoring missing files.",
    },
  );
}

function resultOf(target: Snapshot, plan: RestorePlan, missing: readonly AddFile[]): RestoreResult {
  const { added, removed, state } = plan;
  return {
    restored: target.version,
    version: undefined,
    addedFiles: added.length,
    addedBytes: bytesOf(added),
    removedFiles: removed.length,
    removedBytes: bytesOf(removed),
    changes: state.map((a) => ("protocol" in a ? "protocol" : "metaData" in a ? "metadata" : "clustering")),
    missing: missing.map((file) => file.path),
  };
}

/** By the names that Spark gives them. */
function metricsOf({ added, removed }: RestorePlan, target: Snapshot, missing: readonly AddFile[]) {
  const metrics = {
    numRestoredFiles: added.length,
    restoredFilesSize: bytesOf(added),
    numRemovedFiles: removed.length,
    removedFilesSize: bytesOf(removed),
    numOfFilesAfterRestore: target.files.size - missing.length,
    tableSizeAfterRestore: bytesOf(target.files.values()) - bytesOf(missing),
  };
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [name, String(value)]));
}
