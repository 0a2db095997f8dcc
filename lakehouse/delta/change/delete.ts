/** DELETE: rows that fulfil a condition go. */
import type { Action, AddFile } from "../actions.ts";
import { attempt } from "../attempt.ts";
import type { CommitOutcome } from "../commit.ts";
import { removeOf } from "../metadata.ts";
import { scannable, scanSql } from "../scan.ts";
import type { Snapshot } from "../snapshot.ts";
import { countRows } from "../stats.ts";
import type { DeltaTable } from "../table.ts";
import { type Applied, applyRowChanges, discardApplied } from "./apply.ts";
import { keepsChanges } from "./change-data.ts";
import { type Selection, selectAll, selectFiles } from "./select-files.ts";
import { FILE, inWorkspace, KIND, ROW, type Workspace } from "./workspace.ts";

/** What an operation on rows did. `version` is undefined where nothing had to change. */
export interface DeleteResult {
  readonly version: number | undefined;
  readonly deletedRows: number;
}

/** Deletes the rows for which `where` is true; all rows without it. */
export async function deleteRows(table: DeltaTable, where?: string): Promise<DeleteResult> {
  const done = await attempt(table.store.root, async () => {
    const base = await table.existingSnapshot();
    const selection = where === undefined ? selectAll(base) : await selectFiles(table.duckdb, base, where);
    return inWorkspace(table.duckdb, undefined, async (workspace) => {
      const applied = await takeOut(table, workspace, base, selection, where);
      if (applied.actions.length === 0) return undefined;
      const outcome = await commitChanges(table, base, applied, {
        operation: "DELETE",
        operationParameters: { predicate: where === undefined ? "[]" : JSON.stringify([where]) },
        metrics: { ...applied.metrics, numDeletedRows: String(applied.touchedRows) },
        reads: selection.reads,
      });
      return { outcome, deletedRows: applied.touchedRows };
    });
  });
  return { version: done?.version, deletedRows: done?.deletedRows ?? 0 };
}

/** Files with new rows, and the table as they leave it. */
interface Arriving {
  readonly files: readonly AddFile[];
  readonly after: Pick<Snapshot, "metadata" | "schema">;
}

/**
 * Takes the selected rows out: whole files unread, of the others the rows that fulfil the condition. `arriving`: what
 * the same commit adds, for the change feed.
 */
export async function takeOut(
  table: DeltaTable,
  workspace: Workspace,
  base: Snapshot,
  selection: Selection,
  where: string | undefined,
  arriving: Arriving = { files: [], after: base },
): Promise<Applied> {
  // Where a commit has files of changes, readers of the feed look at nothing else: then all changes must be in them.
  const unread = !keepsChanges(base) || selection.files.length === 0;
  const files = unread ? selection.files : [...selection.files, ...selection.whole];
  const touched = workspace.name("touched");
  const scan = await scanSql(table.store, { ...scannable(base), files }, { fileIndex: FILE, rowIndex: ROW });
  await workspace.session.run(
    `CREATE TABLE ${touched} AS SELECT ${FILE}, ${ROW}, 'delete' AS ${KIND} FROM (${scan}) WHERE (${where ?? "true"}\n)`,
  );
  const applied = await applyRowChanges(table, workspace, base, {
    files,
    touched,
    written: undefined,
    added: arriving.files,
    after: arriving.after,
  });
  return unread ? withWholeFiles(table, applied, selection.whole) : applied;
}

/** Removals of whole files beside changes of others. */
function withWholeFiles(table: DeltaTable, applied: Applied, whole: readonly AddFile[]): Applied {
  const now = table.now();
  const removes: Action[] = whole.map((file) => ({ remove: removeOf(file, now) }));
  return {
    ...applied,
    actions: [...removes, ...applied.actions],
    touchedRows: applied.touchedRows + countRows(whole),
  };
}

/** Commits what was applied; drops its files when another commit stood in the way. */
export async function commitChanges(
  table: DeltaTable,
  base: Snapshot,
  applied: Applied,
  about: {
    readonly operation: string;
    readonly operationParameters: Readonly<Record<string, unknown>>;
    readonly metrics: Readonly<Record<string, string>>;
    readonly reads: Selection["reads"];
    readonly extra?: readonly Action[];
  },
): Promise<CommitOutcome> {
  const outcome = await table.commit({
    base,
    operation: about.operation,
    operationParameters: about.operationParameters,
    operationMetrics: about.metrics,
    actions: [...(about.extra ?? []), ...applied.actions],
    reads: about.reads,
  });
  if (outcome.status === "lost") await discardApplied(table, applied);
  return outcome;
}
