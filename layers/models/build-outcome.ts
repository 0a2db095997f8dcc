/** What became of each model of a build. */
import { codeOf, IngotError, messageOf, TerminalError, TransientError } from "../../lakehouse/errors.ts";
import type { AuditResult } from "./audit/audit-result.ts";
import type { Model } from "./planned-model.ts";
import type { ModelResult } from "./run.ts";

export interface BuildReport extends ModelResult {
  /** `gold.daily_revenue` */
  readonly model: string;
  /** Versions that were read, by `layer.table`. */
  readonly inputs: Readonly<Record<string, number>>;
  /** Audits that were made; of a version that was there before those that it did not pass, or an idle schedule would fill their table. */
  readonly audits: readonly AuditResult[];
}

export interface ModelFailure {
  readonly model: string;
  readonly error: unknown;
  /** Version of its table, which stays as it is; undefined where there is none. */
  readonly version: number | undefined;
  readonly audits: readonly AuditResult[];
}

/** A model that was not run, as one that it reads, however far, failed. */
export interface BlockedModel {
  readonly model: string;
  /** The model that failed. */
  readonly by: string;
}

export interface BuildOutcome {
  /** All models of the run. */
  readonly models: readonly Model[];
  readonly reports: readonly BuildReport[];
  readonly failures: readonly ModelFailure[];
  readonly blocked: readonly BlockedModel[];
}

/** The error of a build: that of the model that failed; where several did, one that tells of each. */
export function buildError({ failures }: BuildOutcome): unknown {
  const [first, ...others] = failures;
  if (first === undefined || others.length === 0) return first?.error;
  const details = {
    code: "BUILD_FAILED",
    value: failures.map(({ model, error }) => `${model}: ${messageOf(error)}${codeText(error)}`).join("\n"),
    next: nextOf(failures),
    cause: first.error,
  };
  const message = `${failures.length} models failed: ${failures.map(({ model }) => model).join(", ")}`;
  const mayPass = failures.every(({ error }) => error instanceof TransientError);
  return mayPass ? new TransientError(message, details) : new TerminalError(message, details);
}

function codeText(error: unknown): string {
  const code = codeOf(error);
  return code === undefined ? "" : ` (${code})`;
}

/** What to do about each, said once where it is the same. */
function nextOf(failures: readonly ModelFailure[]): string {
  const said = failures.flatMap(({ error }) =>
    error instanceof IngotError && error.next !== undefined ? [error.next] : [],
  );
  return (
    [...new Set(said)].join("\n") || "Each table is as it was before; correct what is named and build again."
  );
}
