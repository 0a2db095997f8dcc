/** Rewriting some bins and committing what came of it, beside other writers. */
import type { Session } from "../../duckdb/duckdb.ts";
import { codeOf, TerminalError } from "../../errors.ts";
import { type Action, type AddFile, canonicalPath, logicalFile } from "../actions.ts";
import { attempt } from "../attempt.ts";
import { layoutOf } from "../layout.ts";
import { removeOf } from "../metadata.ts";
import { scannable, scanSql } from "../scan.ts";
import type { StructField } from "../schema.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Staged } from "../stage.ts";
import { countRows, rowCount } from "../stats.ts";
import type { DeltaTable } from "../table.ts";
import { metricsOf } from "./optimize-metrics.ts";
import type { Bin } from "./optimize-plan.ts";
import { stageInZOrder } from "./z-order.ts";
import { clusteredBy } from "./z-order-tag.ts";

/** What all batches of one optimise share. */
export interface Rewriting {
  readonly targetFileBytes: number;
  /** Columns to order by, with their names in files; none where files are only combined. */
  readonly zOrderBy: readonly { readonly field: StructField; readonly nameInFiles: string }[];
  readonly operationParameters: Readonly<Record<string, unknown>>;
}

export interface BatchResult {
  readonly version: number | undefined;
  readonly added: readonly AddFile[];
  readonly removed: readonly AddFile[];
  /** Bins of which another commit changed a file meanwhile; they are as they were. */
  readonly lost: number;
}

interface Rewritten {
  readonly bin: Bin;
  readonly staged: Staged;
}

/**
 * Writes the rows of the bins anew and commits that only their place has changed. Rows that come meanwhile are not
 * touched; where another commit changed files of a bin, that bin is left out, and only that.
 */
export async function rewriteBatch(
  table: DeltaTable,
  base: Snapshot,
  bins: readonly Bin[],
  rewriting: Rewriting,
): Promise<BatchResult> {
  let waiting = await stageBins(table, base, bins, rewriting);
  try {
    const done = await attempt(table.store.root, async () => {
      const newest = await table.existingSnapshot();
      const intact = waiting.filter(({ bin }) => bin.files.every((file) => isLive(newest, file)));
      for (const { staged } of waiting.filter((item) => !intact.includes(item))) await table.discard(staged);
      waiting = intact;
      if (waiting.length === 0) return undefined;
      return { outcome: await commitBins(table, newest, waiting, rewriting) };
    });
    return {
      version: done?.version,
      added: waiting.flatMap(({ staged }) => staged.files),
      removed: waiting.flatMap(({ bin }) => bin.files),
      lost: bins.length - waiting.length,
    };
  } catch (error) {
    // Rivals were faster every time: nothing names the files. After any other failure that is not known.
    if (codeOf(error) === "DELTA_COMMIT_CONTENTION")
      for (const { staged } of waiting) await table.discard(staged);
    throw error;
  }
}

/** A file that another commit removed, or gave another deletion vector, is not the one that was read. */
function isLive(snapshot: Snapshot, file: AddFile): boolean {
  const live = snapshot.files.get(file.path);
  return live !== undefined && logicalFile(live) === logicalFile(file);
}

async function stageBins(
  table: DeltaTable,
  base: Snapshot,
  bins: readonly Bin[],
  rewriting: Rewriting,
): Promise<Rewritten[]> {
  const rewritten: Rewritten[] = [];
  const session = await table.duckdb.session();
  try {
    for (const bin of bins)
      rewritten.push({ bin, staged: await stageBin(table, session, base, bin, rewriting) });
    return rewritten;
  } catch (error) {
    for (const { staged } of rewritten) await table.discard(staged);
    throw error;
  } finally {
    await session.close();
  }
}

async function stageBin(
  table: DeltaTable,
  session: Session,
  base: Snapshot,
  bin: Bin,
  { targetFileBytes, zOrderBy }: Rewriting,
): Promise<Staged> {
  const { files, bytes } = bin;
  const sql = await scanSql(table.store, { ...scannable(base), files });
  const layout = { ...layoutOf(base.metadata, base.schema), targetFileBytes };
  // What fits one file becomes one: files divided by chance would be combined again by the next run.
  const whole = {
    ...layout,
    targetFileBytes: bytes > 1.5 * targetFileBytes ? targetFileBytes : 4 * targetFileBytes,
  };
  const columns = zOrderBy.map(({ field }) => field);
  const staged =
    columns.length === 0
      ? await table.stageAs(session, sql, whole)
      : await stageInZOrder(table, session, sql, layout, columns, bytes);
  if (files.every((file) => rowCount(file) !== undefined) && countRows(files) !== staged.rows) {
    await table.discard(staged);
    throw wrongCount(table, files, staged.rows);
  }
  return staged;
}

function wrongCount(table: DeltaTable, files: readonly AddFile[], rows: number): TerminalError {
  return new TerminalError(`files of ${table.store.root} hold other rows than their statistics say`, {
    code: "DELTA_BAD_STATISTICS",
    value: `${rows} rows in ${files.map((file) => file.path).join(", ")}`,
    allowed: `${countRows(files)} rows`,
    next: "Nothing was rewritten. `ingot table check --deep` says which files are wrong.",
  });
}

function commitBins(
  table: DeltaTable,
  base: Snapshot,
  rewritten: readonly Rewritten[],
  rewriting: Rewriting,
) {
  const now = table.now();
  const removed = rewritten.flatMap(({ bin }) => bin.files);
  const added = rewritten.flatMap(({ staged }) => staged.files);
  const columns = rewriting.zOrderBy.map(({ nameInFiles }) => nameInFiles);
  const tags = columns.length === 0 ? {} : { tags: clusteredBy(columns) };
  const actions: Action[] = [
    ...removed.map((file) => ({ remove: removeOf(file, now, false) })),
    ...added.map((file) => ({ add: { ...file, ...tags, dataChange: false } })),
  ];
  return table.commit({
    base,
    operation: "OPTIMIZE",
    operationParameters: rewriting.operationParameters,
    operationMetrics: metricsOf(added, removed),
    actions,
    // Rows that others add need not be looked at to move these.
    reads: { files: new Set(removed.map((file) => canonicalPath(file.path))), concerns: () => false },
  });
}
