/** How what a model made is committed: with the record of what it was made from. */
import type { Action } from "../../lakehouse/delta/actions.ts";
import { relativePath } from "../../lakehouse/delta/deletion-vector/descriptor.ts";
import { removeOf } from "../../lakehouse/delta/metadata.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { discardFiles, type Staged } from "../../lakehouse/delta/stage.ts";
import { codeOf, TransientError } from "../../lakehouse/errors.ts";
import { auditCandidate, auditsToKeep, auditUnchanged } from "./audit/run-audits.ts";
import { checkNulls } from "./contract.ts";
import { tableActions } from "./model-table.ts";
import type { Model } from "./planned-model.ts";
import { type AuditRecord, recordActions } from "./record.ts";
import type { ModelResult, ModelRun, ModelStatus } from "./run.ts";

/** What a commit needs to know of a run; its session is for what comes before. */
type CommittedRun = Omit<ModelRun, "session" | "quarantine" | "tables">;

/**
 * Commits what a model made anew, in place of all that its table has. `why` it was made anew, where that showed only as
 * it ran.
 */
export async function commitRebuild(run: ModelRun, staged: Staged, why = run.reason): Promise<ModelResult> {
  const { model, target, base } = run;
  const now = target.now();
  const removes = [...(base?.files.values() ?? [])].map((file) => ({ remove: removeOf(file, now) }));
  const operation = base === undefined ? "CREATE TABLE AS SELECT" : "WRITE";
  const actions = [...tableActions(model, base, now), ...removes];
  const result = await commitStaged(run, "rebuilt", operation, staged, actions);
  return why === undefined ? result : { ...result, reason: why };
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
 * Commits actions with the record of what they were made from, once the table that they make has passed its audits.
 * Rejects, after it dropped the staged files, with `AUDIT_FAILED`, and with `MODEL_RACE_LOST` where another run was
 * faster.
 */
export async function commitActions(
  run: CommittedRun,
  operation: string,
  actions: readonly Action[],
  operationMetrics: Readonly<Record<string, string>>,
  staged: readonly { readonly path: string }[],
): Promise<number> {
  const files = [...staged, ...writtenVectors(actions, run.base)];
  let audits: AuditRecord;
  try {
    audits = await audited(run, () => auditCandidate(run, actions));
    await run.beforeCommit?.();
  } catch (error) {
    await discardFiles(run.target.store, files);
    throw error;
  }
  return commitAudited(run, operation, actions, operationMetrics, files, audits);
}

/** What fails an audit beside the work of a faster run was made of what is past. */
async function audited<T>({ model, target, base }: CommittedRun, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const version = (await target.snapshot())?.version;
    if (codeOf(error) !== "AUDIT_FAILED" || version === base?.version) throw error;
    throw raceLost(model, `version ${String(version)} instead of ${String(base?.version)}`);
  }
}

/** Files of deletion vectors that the table does not have yet. */
function writtenVectors(actions: readonly Action[], base: Snapshot | undefined): { readonly path: string }[] {
  const paths = actions.flatMap((action) => {
    if (!("add" in action) || action.add.deletionVector?.storageType !== "u") return [];
    const { path, deletionVector } = action.add;
    const before = base?.files.get(path)?.deletionVector;
    return before?.pathOrInlineDv === deletionVector.pathOrInlineDv ? [] : [relativePath(deletionVector)];
  });
  return [...new Set(paths)].map((path) => ({ path: encodeURIComponent(path) }));
}

async function commitAudited(
  run: CommittedRun,
  operation: string,
  actions: readonly Action[],
  operationMetrics: Readonly<Record<string, string>>,
  staged: readonly { readonly path: string }[],
  audits: AuditRecord,
): Promise<number> {
  const { model, target, base, inputs } = run;
  const outcome = await target.commit({
    base,
    operation,
    operationParameters: { model: model.name },
    operationMetrics,
    actions: [...recordActions(model, inputs, base, target.now(), audits), ...actions],
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

/** So many versions may pass without a change before the table records that it has seen them, */
const MOST_UNRECORDED = 50;
/** and so many rows may have been read for it: they would be read again by the next run. */
const MOST_REREAD = 1000;

/**
 * The end of a run that changed nothing. Inputs that get commits without rows, such as positions of a quiet source,
 * would else make every table downstream grow commits too. `rowsIn`: rows that were read to know it. Rejects with `AUDIT_FAILED` where the table as it is fails
 * an audit that is due.
 */
export async function commitNothing(run: CommittedRun, base: Snapshot, rowsIn = 0): Promise<ModelResult> {
  const audits = await audited(run, () => auditUnchanged(run, base));
  await run.beforeCommit?.();
  const behind = [...run.inputs].map(([name, input]) => input.version - (run.consumed?.get(name) ?? 0));
  const nothing = { status: "unchanged", rowsIn, rowsOut: 0, bytes: 0 } as const;
  const isNear = Math.max(0, ...behind) < MOST_UNRECORDED && rowsIn < MOST_REREAD;
  if (isNear && audits === undefined) return { ...nothing, version: base.version };
  const record = audits ?? auditsToKeep(run.model, base);
  return { ...nothing, version: await commitAudited(run, "WRITE", [], {}, [], record) };
}
