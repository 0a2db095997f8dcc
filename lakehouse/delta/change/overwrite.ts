/** Overwriting: all rows, or those that fulfil a condition, give way to others in one commit. */
import type { Action } from "../actions.ts";
import { attempt } from "../attempt.ts";
import type { CommitOutcome } from "../commit.ts";
import { removeOf } from "../metadata.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Source } from "../source.ts";
import type { DeltaTable } from "../table.ts";
import { type AppendOptions, isRecorded, metricsOf, nothingWritten, type WriteResult } from "./append.ts";
import { commitChanges, takeOut } from "./delete.ts";
import { type Incoming, stageIncoming } from "./incoming.ts";
import { selectFiles } from "./select-files.ts";
import { inWorkspace } from "./workspace.ts";

export interface OverwriteOptions extends AppendOptions {
  /** SQL condition: what fulfils it is replaced, and every new row must fulfil it. */
  readonly where?: string;
}

/**
 * Replaces all rows, or those that fulfil `where`. Where `transaction` says what the table already holds, nothing is
 * replaced and `rows` is 0.
 */
export async function overwriteRows(
  table: DeltaTable,
  source: Source,
  options: OverwriteOptions = {},
): Promise<WriteResult> {
  const done = await attempt(table.store.root, async () => {
    const base = await table.existingSnapshot();
    if (isRecorded(base, options.transaction)) return undefined;
    return stageIncoming(table, base, source, options, async (incoming) => {
      const { rows, bytes } = incoming.staged;
      const outcome =
        options.where === undefined
          ? await replaceAll(table, base, incoming, options)
          : await replacePart(table, base, incoming, options, options.where);
      return { outcome, rows, bytes };
    });
  });
  return done ?? nothingWritten(table);
}

/** What the commit carries beside the rows that go. */
function arrivals({ staged, actions }: Incoming, { transaction }: OverwriteOptions): Action[] {
  const recorded = transaction ? [{ txn: transaction }] : [];
  return [...actions, ...recorded, ...staged.files.map((add) => ({ add }))];
}

async function replaceAll(
  table: DeltaTable,
  base: Snapshot,
  incoming: Incoming,
  options: OverwriteOptions,
): Promise<CommitOutcome> {
  const now = table.now();
  const removes = [...base.files.values()].map((file) => ({ remove: removeOf(file, now) }));
  const outcome = await table.commit({
    base,
    operation: "WRITE",
    operationParameters: { mode: "Overwrite" },
    operationMetrics: metricsOf(incoming.staged),
    actions: [...arrivals(incoming, options), ...removes],
    reads: "table",
  });
  if (outcome.status === "lost") await table.discard(incoming.staged);
  return outcome;
}

async function replacePart(
  table: DeltaTable,
  base: Snapshot,
  incoming: Incoming,
  options: OverwriteOptions,
  where: string,
): Promise<CommitOutcome> {
  const selection = await selectFiles(table.duckdb, base, where);
  return inWorkspace(table.duckdb, undefined, async (workspace) => {
    const arriving = { files: incoming.staged.files, after: incoming.after };
    const taken = await takeOut(table, workspace, base, selection, where, arriving);
    const applied = { ...taken, staged: [...taken.staged, ...incoming.staged.files] };
    return commitChanges(table, base, applied, {
      operation: "WRITE",
      operationParameters: { mode: "Overwrite", predicate: where },
      metrics: metricsOf(incoming.staged),
      reads: selection.reads,
      extra: arrivals(incoming, options),
    });
  });
}
