/** From touched and written rows to the actions of one commit: the common end of delete, update, merge, overwrite. */
import type { Action } from "../actions.ts";
import { checkingRules, checkRules, guarded, rulesOf } from "../constraints.ts";
import { layoutOf } from "../layout.ts";
import { typedSql } from "../schema.ts";
import type { Snapshot } from "../snapshot.ts";
import { discardFiles, type Staged } from "../stage.ts";
import type { DeltaTable } from "../table.ts";
import { keepsChanges, stageChanges } from "./change-data.ts";
import { rewriteFiles } from "./rewrite.ts";
import type { RowChanges } from "./row-changes.ts";
import { touchedRows } from "./touched-rows.ts";
import type { Workspace } from "./workspace.ts";

export interface Applied {
  readonly actions: readonly Action[];
  /** Files that no commit names yet; to be discarded when the commit is lost. */
  readonly staged: readonly { readonly path: string }[];
  readonly touchedRows: number;
  readonly metrics: Readonly<Record<string, string>>;
}

/** Writes what the changes need written, and states them as actions. Nothing is visible before the commit. */
export async function applyRowChanges(
  table: DeltaTable,
  workspace: Workspace,
  base: Snapshot,
  changes: RowChanges,
): Promise<Applied> {
  const { files, touched, written, after } = changes;
  const { session } = workspace;
  const rows = await touchedRows(session, touched);
  const rewrite = await rewriteFiles(table, base, files, rows, touched);
  const staged = await stageRows(table, workspace, base, rewrite.kept, written, after);
  const wholeFiles = written === undefined && rewrite.vectorFiles === 0 && rewrite.kept === undefined;
  // Where rows only came, or only whole files went, readers derive the changes from those.
  const changed = keepsChanges(base) && rows.size > 0 && !wholeFiles;
  const cdc = changed ? await stageChanges(table, workspace, base, changes) : [];
  const vectors = rewrite.actions.flatMap((a) =>
    "add" in a && a.add.deletionVector ? a.add.deletionVector : [],
  );
  let touchedCount = 0;
  for (const set of rows.values()) touchedCount += set.cardinality;
  return {
    actions: [...rewrite.actions, ...staged.files.map((add) => ({ add })), ...cdc],
    staged: [...staged.files, ...cdc.flatMap((a) => ("cdc" in a ? a.cdc : []))],
    touchedRows: touchedCount,
    metrics: {
      numTargetFilesAdded: String(staged.files.length),
      numTargetFilesRemoved: String(rewrite.removedFiles),
      numTargetDeletionVectorsAdded: String(vectors.length),
      numOutputRows: String(staged.rows),
    },
  };
}

/** Kept rows and new rows in one go, so that small files do not multiply. New rows are checked, kept ones were. */
async function stageRows(
  table: DeltaTable,
  { session }: Workspace,
  base: Snapshot,
  kept: string | undefined,
  written: string | undefined,
  after: RowChanges["after"],
): Promise<Staged> {
  // Both parts as values of the table's types: a union would take the wider one for both, and lose digits.
  const { fields } = after.schema;
  const parts = kept === undefined ? [] : [typedSql(kept, fields, base.schema.fields)];
  if (written !== undefined) {
    const rules = rulesOf(after.metadata, after.schema);
    await checkRules(table.duckdb, rules, after.schema);
    parts.push(guarded(typedSql(`SELECT * FROM ${written}`, fields), rules));
  }
  if (parts.length === 0) return { files: [], rows: 0, bytes: 0, nulls: new Map() };
  const layout = layoutOf(after.metadata, after.schema);
  return checkingRules(table.store.root, () =>
    table.stageAs(session, parts.join(" UNION ALL BY NAME "), layout),
  );
}

/** Drops what was staged for a commit that another one stood in the way of. */
export async function discardApplied(table: DeltaTable, applied: Applied): Promise<void> {
  await discardFiles(table.store, applied.staged);
}
