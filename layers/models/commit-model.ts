/** How what a model made is committed: with the record of what it was made from. */
import type { Action } from "../../lakehouse/delta/actions.ts";
import { removeOf } from "../../lakehouse/delta/metadata.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { discardFiles, type Staged } from "../../lakehouse/delta/stage.ts";
import { TransientError } from "../../lakehouse/errors.ts";
import { checkNulls } from "./contract.ts";
import { tableActions } from "./model-table.ts";
import type { Model } from "./planned-model.ts";
import { recordActions } from "./record.ts";
import type { ModelResult, ModelRun, ModelStatus } from "./run.ts";

/** Commits what a model made anew, in place of all that its table has. */
export function commitRebuild(run: ModelRun, staged: Staged): Promise<ModelResult> {
  const { model, target, base } = run;
  const now = target.now();
  const removes = [...(base?.files.values() ?? [])].map((file) => ({ remove: removeOf(file, now) }));
  const operation = base === undefined ? "CREATE TABLE AS SELECT" : "WRITE";
  return commitStaged(run, "rebuilt", operation, staged, [...tableActions(model, base, now), ...removes]);
}

/** Commits rows beside those that the table has. */
export function commitAppend(run: ModelRun, staged: Staged): Promise<ModelResult> {
  return commitStaged(run, "incremental", "WRITE", staged, []);
}

async function commitStaged(
  run: ModelRun,
  status: ModelStatus,
  operation: string,
  staged: Staged,
  actions: readonly Action[],
): Promise<ModelResult> {
  try {
    checkNulls(run.model, staged);
  } catch (error) {
    await run.target.discard(staged);
    throw error;
  }
  const added = staged.files.map((add) => ({ add }));
  const metrics = {
    numFiles: String(staged.files.length),
    numOutputRows: String(staged.rows),
    numOutputBytes: String(staged.bytes),
  };
  const version = await commitActions(run, operation, [...actions, ...added], metrics, staged.files);
  return { status, rowsIn: staged.rows, rowsOut: staged.rows, bytes: staged.bytes, version };
}

/**
 * Commits actions with the record of what they were made from. Rejects with `MODEL_RACE_LOST`, after it dropped the
 * staged files, where another run was faster.
 */
export async function commitActions(
  run: ModelRun,
  operation: string,
  actions: readonly Action[],
  operationMetrics: Readonly<Record<string, string>>,
  staged: readonly { readonly path: string }[],
): Promise<number> {
  const { model, target, base, inputs } = run;
  const outcome = await target.commit({
    base,
    operation,
    operationParameters: { model: model.name },
    operationMetrics,
    actions: [...recordActions(model, inputs, base, target.now()), ...actions],
    reads: "table",
  });
  if (outcome.status === "committed") return outcome.version;
  await discardFiles(target.store, staged);
  throw raceLost(model, outcome.reason);
}

/** The error of a run whose model another one has built meanwhile. `value`: how that was seen. */
export const raceLost = ({ name }: Model, value: string): TransientError =>
  new TransientError(`another run built ${name} at the same time`, {
    code: "MODEL_RACE_LOST",
    value,
    next: "Its result stands; this one was dropped. Run again if something is missing.",
  });

/** So many versions may pass without a change before the table records that it has seen them. */
const MOST_UNRECORDED = 50;

/**
 * The end of a run that changed nothing. Inputs that get commits without rows, such as positions of a quiet source,
 * would else make every table downstream grow commits too.
 */
export async function commitNothing(run: ModelRun, base: Snapshot): Promise<ModelResult> {
  const behind = [...run.inputs].map(([name, input]) => input.version - (run.consumed?.get(name) ?? 0));
  const nothing = { status: "unchanged", rowsIn: 0, rowsOut: 0, bytes: 0 } as const;
  if (Math.max(0, ...behind) < MOST_UNRECORDED) return { ...nothing, version: base.version };
  return { ...nothing, version: await commitActions(run, "WRITE", [], {}, []) };
}
