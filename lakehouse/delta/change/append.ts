/** Appending, the table's columns growing where that is allowed. */
import type { SetTransaction } from "../actions.ts";
import { attempt } from "../attempt.ts";
import type { Snapshot } from "../snapshot.ts";
import type { Source } from "../source.ts";
import type { Staged } from "../stage.ts";
import type { DeltaTable } from "../table.ts";
import { stageIncoming } from "./incoming.ts";

export interface AppendOptions {
  /** Columns that the table does not have are added to it; without this they are an error. */
  readonly evolveSchema?: boolean;
  /** Recorded with the rows. Rows under a version that is recorded already are not written again. */
  readonly transaction?: SetTransaction;
}

export interface WriteResult {
  readonly version: number;
  readonly rows: number;
  readonly bytes: number;
}

/** Adds rows. Where `transaction` says what the table already holds, nothing is added and `rows` is 0. */
export async function appendRows(
  table: DeltaTable,
  source: Source,
  options: AppendOptions = {},
): Promise<WriteResult> {
  const { transaction } = options;
  const done = await attempt(table.store.root, async () => {
    const base = await table.existingSnapshot();
    if (isRecorded(base, transaction)) return undefined;
    return stageIncoming(table, base, source, options, async ({ staged, actions }) => {
      const outcome = await table.commit({
        base,
        operation: "WRITE",
        operationParameters: { mode: "Append", partitionBy: base.metadata.partitionColumns },
        operationMetrics: metricsOf(staged),
        actions: [
          ...actions,
          ...(transaction ? [{ txn: transaction }] : []),
          ...staged.files.map((add) => ({ add })),
        ],
        reads: "nothing",
      });
      if (outcome.status === "lost") await table.discard(staged);
      return { outcome, rows: staged.rows, bytes: staged.bytes };
    });
  });
  return done ?? nothingWritten(table);
}

/** Whether the table holds already what is to be recorded with these rows. */
export function isRecorded(base: Snapshot, transaction: SetTransaction | undefined): boolean {
  if (transaction === undefined) return false;
  return (base.transactions.get(transaction.appId)?.version ?? -1) >= transaction.version;
}

export async function nothingWritten(table: DeltaTable): Promise<WriteResult> {
  return { version: (await table.existingSnapshot()).version, rows: 0, bytes: 0 };
}

export function metricsOf(staged: Staged): Record<string, string> {
  return {
    numFiles: String(staged.files.length),
    numOutputRows: String(staged.rows),
    numOutputBytes: String(staged.bytes),
  };
}
