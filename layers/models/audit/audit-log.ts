/** What audits found, run by run, as a Delta table beside the run journal. */
import { field, type StructType } from "../../../lakehouse/delta/schema.ts";
import type { Row } from "../../../lakehouse/duckdb/duckdb.ts";
import type { Lake } from "../../../lakehouse/lake.ts";
import { appendOwnRows, type OwnTable, ownRows } from "../../own-table.ts";
import type { BuildOutcome } from "../build-outcome.ts";
import type { AuditResult } from "./audit-result.ts";

const SCHEMA: StructType = {
  type: "struct",
  fields: [
    field("run_id", "string"),
    field("model", "string"),
    field("version", "long"),
    field("audit", "string"),
    field("severity", "string"),
    field("status", "string"),
    field("failing_rows", "long"),
    field("checked", "string"),
    field("detail", "string"),
    field("examples", "string"),
    field("checked_at", "timestamp"),
  ],
};

const OWN: OwnTable = {
  schema: SCHEMA,
  time: "checked_at",
  id: ["run_id", "model", "audit"],
  newestOf: "model, audit",
};

const auditTable = (lake: Lake, pipeline: string) => lake.table(`${pipeline}/_ingot/audits`);

/**
 * Appends the audits of a build. `version` is the one that they were held against, NULL where it was not committed. Of a
 * version that was there before, what is known is left out, or an idle schedule would fill the table; what a run that
 * was killed did not write is written by the next.
 */
export async function recordAudits(
  lake: Lake,
  pipeline: string,
  runId: string,
  { reports, failures }: Pick<BuildOutcome, "reports" | "failures">,
  at: Date,
): Promise<void> {
  const isAsked = reports.some(({ status, audits }) => status === "unchanged" && audits.length > 0);
  const known = new Set(isAsked ? (await lastAudits(lake, pipeline)).map(verdictOf) : []);
  const made = reports.flatMap(({ model, status, version, audits }) =>
    audits.flatMap((result) => {
      const isKnown = status === "unchanged" && known.has(verdictOf({ ...result, model, version }));
      return isKnown ? [] : [{ model, version, result }];
    }),
  );
  const refused = failures.flatMap(({ model, audits }) =>
    audits.map((result) => ({ model, version: undefined, result })),
  );
  const rows = [...made, ...refused].map(({ model, version, result }) => [
    runId,
    model,
    version,
    result.audit,
    result.severity,
    result.status,
    result.failing,
    result.checked,
    result.detail,
    examplesOf(result),
    at,
  ]);
  await appendOwnRows(auditTable(lake, pipeline), OWN, rows);
}

/** What an audit said of a version of a table. */
const verdictOf = ({ model, version, audit, severity, status }: Row): string =>
  JSON.stringify([model, String(version), audit, severity, status]);

const examplesOf = ({ examples = [] }: AuditResult) =>
  examples.length === 0 ? undefined : JSON.stringify(examples);

/** The newest result of each audit of each model. */
export function lastAudits(lake: Lake, pipeline: string): Promise<Row[]> {
  return ownRows(
    auditTable(lake, pipeline),
    OWN,
    "FROM t QUALIFY row_number() OVER (PARTITION BY model, audit ORDER BY checked_at DESC) = 1",
  );
}
