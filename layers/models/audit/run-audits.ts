/**
 * The audits of a run: before its commit on the table as that would make it; of a run that changes nothing, those that
 * time alone can break, and those that the table is not known to pass.
 */
import type { Action } from "../../../lakehouse/delta/actions.ts";
import { withActions } from "../../../lakehouse/delta/overlay.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { Model } from "../planned-model.ts";
import { type AuditRecord, recordedAudits } from "../record.ts";
import type { ModelRun } from "../run.ts";
import type { AuditResult } from "./audit-result.ts";
import { AuditedTable } from "./audited-table.ts";
import { checkAudit } from "./check-audit.ts";
import type { PlannedAudit } from "./plan-audits.ts";

type Audited = Pick<ModelRun, "model" | "target" | "base" | "audits">;

/** Holds the table, as the actions would make it, against all audits. Rejects with `AUDIT_FAILED`. Gives what to record. */
export async function auditCandidate(run: Audited, actions: readonly Action[]): Promise<AuditRecord> {
  const { model, target, base } = run;
  if (run.audits === undefined || model.audits.length === 0) return {};
  return auditTable(run, model.audits, withActions(base, actions, target.store.root));
}

/**
 * Holds a table that stays as it is against the audits that are due. Rejects with `AUDIT_FAILED`. Gives what is to be
 * recorded; undefined where that is recorded already.
 */
export async function auditUnchanged(run: Audited, base: Snapshot): Promise<AuditRecord | undefined> {
  const due = dueAudits(run.model, base);
  if (run.audits === undefined || due.length === 0) return undefined;
  const before = recordedAudits(base);
  const found = await auditTable(run, due, base);
  const isNew = Object.entries(found).some(([id, { passed }]) => before[id]?.passed !== passed);
  if (!isNew) return undefined;
  return { ...auditsToKeep(run.model, base), ...found };
}

/** What is known of the model's audits from the version before; of those that it has no more nothing is kept. */
export function auditsToKeep({ audits }: Model, base: Snapshot): AuditRecord {
  const ids = new Set(audits.map(({ id }) => id));
  return Object.fromEntries(Object.entries(recordedAudits(base)).filter(([id]) => ids.has(id)));
}

/**
 * The audits of a table that no run changes which are to be made all the same. One that failed is: what it found may
 * not have been told, its severity may be another now.
 */
export function dueAudits({ audits }: Model, base: Snapshot): PlannedAudit[] {
  const before = recordedAudits(base);
  return audits.filter(({ id, check }) => check.kind === "freshness" || before[id]?.passed !== true);
}

async function auditTable(
  run: Audited,
  audits: readonly PlannedAudit[],
  snapshot: Snapshot,
): Promise<AuditRecord> {
  const { model, base, audits: context } = run;
  if (context === undefined) return {};
  const known = base === undefined ? {} : recordedAudits(base);
  const table = new AuditedTable(run, context, snapshot);
  const results: AuditResult[] = [];
  const record: Record<string, AuditRecord[string]> = {};
  try {
    for (const audit of audits) {
      const result = await checkAudit(run, context, audit, table, known[audit.id]);
      results.push(result);
      // One that could not be made is due again.
      if (result.status === "skipped") continue;
      const passed = result.status === "passed";
      record[audit.id] = { passed, ...(passed ? await heldAgainst(audit, model, table) : {}) };
    }
  } finally {
    await table.close();
  }
  context.report(results);
  const failed = results.filter(({ status, severity }) => status === "failed" && severity === "error");
  if (failed.length > 0) throw auditFailed(model, failed, snapshot === base);
  return record;
}

/** The version that references were held against. */
async function heldAgainst({ check }: PlannedAudit, model: Model, table: AuditedTable) {
  if (check.kind !== "references" || check.table === model.name) return {};
  const { snapshot } = await table.lay(check.table);
  return { table: { id: snapshot.metadata.id, version: snapshot.version } };
}

/** `unique(email): 2 rows`, `rowCount(min 1): 0 rows`. */
export function auditText({ audit, failing, detail }: AuditResult): string {
  return `${audit}: ${detail ?? `${failing} row${failing === 1 ? "" : "s"}`}`;
}

/** What an audit lets pass. */
function allowedBy({ check }: PlannedAudit): string {
  switch (check.kind) {
    case "notNull":
      return `a value of ${check.column} in every row`;
    case "unique":
      return `each ${check.columns.join(", ")} once`;
    case "references":
      return `values of ${check.column} that ${check.table}.${check.to} has`;
    case "acceptedValues":
      return `${check.column}: ${check.values.join(", ")}`;
    case "rowCount": {
      const { min, max, changeAtMost } = check;
      const limits = [
        min === undefined ? [] : `${min} rows or more`,
        max === undefined ? [] : `${max} rows or fewer`,
        changeAtMost === undefined ? [] : `a change of ${changeAtMost * 100} % or less`,
      ];
      return limits.flat().join(", ");
    }
    case "freshness":
      return `a newest ${check.column} of the last ${check.within} minutes`;
    case "sql":
      return "no row in the audit's query";
  }
}

function auditFailed(model: Model, failed: readonly AuditResult[], isThere: boolean): TerminalError {
  const examples = failed.flatMap(({ examples = [] }) => examples);
  const names = new Set(failed.map(({ audit }) => audit));
  const what = failed.length === 1 ? "an audit" : `${failed.length} audits`;
  return new TerminalError(`${model.name} fails ${what}: ${failed.map(auditText).join("; ")}`, {
    code: "AUDIT_FAILED",
    ...(examples.length === 0 ? {} : { value: examples.join("\n") }),
    allowed: model.audits.flatMap((audit) => (names.has(audit.name) ? [allowedBy(audit)] : [])).join("; "),
    next: `${isThere ? "Its table is so already" : "Nothing was committed"}. Correct the source or ${model.file}; where the rows are right, correct the audit in the pipeline, or let it .warn().`,
  });
}
