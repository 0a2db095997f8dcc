/** One audit, held against the table. */
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import { codeOf } from "../../../lakehouse/errors.ts";
import { maskSecrets } from "../../../lakehouse/secrets.ts";
import type { AnyContract } from "../../../schemas/table.ts";
import type { ModelRun } from "../run.ts";
import { sqlErrorText } from "../sensitive.ts";
import type { AuditContext, AuditResult } from "./audit-result.ts";
import { type AuditedTable, MissingTable } from "./audited-table.ts";
import { countFigure, freshFigure } from "./figures.ts";
import type { PlannedAudit } from "./plan-audits.ts";
import { type ReferenceRecord, wrongReferences } from "./wrong-references.ts";
import { type WrongRows, wrongRows } from "./wrong-rows.ts";

/** What is known of an audit from the version before. */
export interface KnownBefore {
  /** Whether all that the version had was right. */
  readonly passed: boolean;
  /** Of references: the version that they were held against. */
  readonly table?: ReferenceRecord | undefined;
}

/** Rows that are shown of those that are wrong, and letters of each. */
const MOST_EXAMPLES = 3;
const LONGEST_EXAMPLE = 500;

type Audited = Pick<ModelRun, "model" | "target">;

/** Rejects for no fault of the table: what cannot be checked has failed, and says why. */
export async function checkAudit(
  run: Audited,
  context: AuditContext,
  audit: PlannedAudit,
  table: AuditedTable,
  known: KnownBefore | undefined,
): Promise<AuditResult> {
  const { name, severity } = audit;
  const unseen = { audit: name, severity, checked: "table", failing: 0 } as const;
  try {
    return { audit: name, severity, ...(await verdictOf(run, context, audit, table, known)) };
  } catch (error) {
    if (error instanceof MissingTable) {
      // Whether an error stands or falls is not known: it must not pass.
      return { ...unseen, status: severity === "warn" ? "skipped" : "failed", detail: error.message };
    }
    if (codeOf(error) !== "DUCKDB_SQL") throw error;
    return { ...unseen, status: "failed", detail: refusal(run, context, audit, error) };
  }
}

async function verdictOf(
  run: Audited,
  context: AuditContext,
  audit: PlannedAudit,
  table: AuditedTable,
  known: KnownBefore | undefined,
): Promise<Omit<AuditResult, "audit" | "severity">> {
  const { check, reads } = audit;
  if (check.kind === "rowCount" || check.kind === "freshness") {
    const { holds, ...figure } = await (check.kind === "rowCount"
      ? countFigure(run, table, check)
      : freshFigure(run, table, check));
    return { status: holds ? "passed" : "failed", failing: holds ? 0 : 1, checked: "table", ...figure };
  }
  for (const reference of reads) await table.lay(reference);
  // What the run did not write was right, and is as it was.
  const isRestRight = known?.passed === true && table.isPart;
  const wrong =
    check.kind === "references"
      ? await wrongReferences(run.model, check, table, isRestRight ? known.table : undefined)
      : wrongRows(run.model, check, {
          own: table.own,
          written: isRestRight && check.kind !== "sql" ? await table.written() : undefined,
        });
  const session = await table.session();
  const [counted] = await session.rows(
    `SELECT coalesce(${wrong.count}, 0)::DOUBLE AS rows FROM (${wrong.sql})`,
  );
  const failing = Number(counted?.rows);
  const { checked } = wrong;
  if (failing === 0) return { status: "passed", failing, checked };
  return {
    status: "failed",
    failing,
    checked,
    examples: await examplesOf(run, context, audit, table, wrong),
  };
}

/** What DuckDB says of an audit's query. */
function refusal({ model }: Audited, context: AuditContext, audit: PlannedAudit, error: unknown): string {
  const text = sqlErrorText(error, !isOpen(model.contract, context, audit));
  return `cannot be checked: ${maskSecrets(text).split("\n")[0] ?? ""}`;
}

/** Few of the wrong rows as JSON. A column that a query of the user's makes may hold what it read from a sensitive one. */
async function examplesOf(
  { model }: Audited,
  context: AuditContext,
  audit: PlannedAudit,
  table: AuditedTable,
  { sql }: WrongRows,
): Promise<string[]> {
  const session = await table.session();
  const { contract } = model;
  const isShown =
    audit.check.kind === "sql"
      ? () => isOpen(contract, context, audit)
      : (name: string) => name in contract.columns && contract.columns[name]?.sensitivity === undefined;
  const names = (await session.describe(sql)).map((column) => column.name).filter(isShown);
  if (names.length === 0) return [];
  const members = names.map((name) => `${literal(name)}, ${identifier(name)}`);
  const rows = await session.rows(
    `SELECT json_object(${members.join(", ")})::VARCHAR AS row FROM (${sql}) LIMIT ${MOST_EXAMPLES}`,
  );
  return rows.map(({ row }) => String(row).slice(0, LONGEST_EXAMPLE));
}

/** Whether nothing that an audit reads is sensitive; of bronze that is not known. */
function isOpen(own: AnyContract, { contracts }: AuditContext, { reads }: PlannedAudit): boolean {
  const read = [own, ...reads.map((reference) => contracts.get(reference))];
  return read.every(
    (contract) =>
      contract !== undefined && Object.values(contract.columns).every((c) => c.sensitivity === undefined),
  );
}
