/** Audits made ready: known by what they check, with the tables that they read; those that cannot be are refused. */
import { createHash } from "node:crypto";
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { AnyContract } from "../../../schemas/table.ts";
import type { AuditDefinition } from "../../definition/audit.ts";
import type { ModelDefinition } from "../../definition/model.ts";
import type { PipelineDefinition } from "../../definition/pipeline.ts";
import { findReferences } from "../references.ts";
import { auditsOf } from "./declared-audits.ts";

export interface PlannedAudit extends AuditDefinition {
  /** Changes with what is checked; not with name and severity. */
  readonly id: string;
  /** Tables that it reads beside the model's own, as `layer.table`. */
  readonly reads: readonly string[];
}

interface Audited {
  readonly name: string;
  readonly file: string;
  readonly definition: ModelDefinition;
}

/** The audits of a model. Rejects with `AUDIT_UNKNOWN` where one names a column or table that is not there. */
export function planAudits(
  duckdb: DuckDb,
  pipeline: PipelineDefinition,
  model: Audited,
): Promise<PlannedAudit[]> {
  const known = knownTables(pipeline);
  return Promise.all(
    auditsOf(pipeline, model.definition).map(async (audit) => {
      for (const column of columnsOf(audit)) checkColumn(model, audit, model.definition.contract, column);
      const reads = (await readsOf(duckdb, model, audit)).filter((reference) => reference !== model.name);
      for (const reference of reads) {
        if (!known.has(reference))
          throw unknown(model, audit, `reads ${reference}`, reference, [...known.keys()]);
      }
      const { check } = audit;
      const target =
        check.kind === "references" && check.table !== model.name ? known.get(check.table) : undefined;
      if (check.kind === "references" && target) checkColumn(model, audit, target, check.to, check.table);
      return { ...audit, id: idOf(audit), reads };
    }),
  );
}

/** Contracts of models by reference; tables of bronze, whose columns are the source's, without. */
function knownTables({ source, silver, gold }: PipelineDefinition): Map<string, AnyContract | undefined> {
  const messages = source.wal?.messages;
  const bronze = [...Object.keys(source.tables), ...(messages === undefined ? [] : [messages])];
  const models = Object.entries({ silver, gold }).flatMap(([layer, tables = {}]) =>
    Object.entries(tables).map(([name, { contract }]) => [`${layer}.${name}`, contract] as const),
  );
  return new Map<string, AnyContract | undefined>([
    ...bronze.map((name) => [`bronze.${name}`, undefined] as const),
    ...models,
  ]);
}

function columnsOf({ check }: AuditDefinition): readonly string[] {
  if (check.kind === "unique") return check.columns;
  return "column" in check ? [check.column] : [];
}

function checkColumn(
  model: Audited,
  audit: AuditDefinition,
  { columns }: AnyContract,
  column: string,
  table = model.name,
): void {
  const found = columns[column];
  if (found === undefined)
    throw unknown(
      model,
      audit,
      `names ${column}, which ${table} does not have`,
      column,
      Object.keys(columns),
    );
  if (audit.check.kind !== "freshness") return;
  if (["timestamp", "timestamp_ntz", "date"].includes(String(found.type))) return;
  const fitting = Object.entries(columns).filter(([, { type }]) => type === "timestamp" || type === "date");
  throw unknown(
    model,
    audit,
    `asks how old ${column} is, which is no timestamp or date`,
    column,
    fitting.map(([name]) => name),
  );
}

async function readsOf(duckdb: DuckDb, { file }: Audited, { check, name }: AuditDefinition) {
  if (check.kind === "references") return [check.table];
  return check.kind === "sql" ? findReferences(duckdb, check.sql, `${file}, audit ${name},`) : [];
}

function idOf({ check }: AuditDefinition): string {
  const text = JSON.stringify(check, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}

const unknown = (
  { name, file }: Audited,
  audit: AuditDefinition,
  what: string,
  value: string,
  allowed: string[],
) =>
  new TerminalError(`audit ${audit.name} of ${name} ${what}`, {
    code: "AUDIT_UNKNOWN",
    value,
    allowed: allowed.join(", "),
    next: `Correct the audits of ${name} in the pipeline; its SQL is ${file}.`,
  });
