/** The audits of a model: those that its pipeline declares, and those that its contract amounts to. */
import type { AnyContract } from "../../../schemas/table.ts";
import {
  type AuditCheck,
  type AuditDefinition,
  freshness,
  references,
  unique,
} from "../../definition/audit.ts";
import type { ModelDefinition } from "../../definition/model.ts";
import type { PipelineDefinition } from "../../definition/pipeline.ts";

type Models = Pick<PipelineDefinition, "silver" | "gold">;

/**
 * All audits of a model. What is declared for the same columns as something that the contract says takes its place, so
 * that a pipeline can say how severe it is.
 */
export function auditsOf(
  pipeline: Models,
  { contract, audits = [] }: Pick<ModelDefinition, "contract" | "audits">,
): AuditDefinition[] {
  const declared = new Set(audits.map(({ check }) => subjectOf(check)));
  const implied = contractAudits(pipeline, contract).filter(({ check }) => !declared.has(subjectOf(check)));
  return [...audits, ...implied];
}

/** What an audit is about, whatever its limits. */
function subjectOf(check: AuditCheck): string {
  switch (check.kind) {
    case "unique":
      return JSON.stringify([check.kind, ...[...check.columns].sort()]);
    case "references":
    case "freshness":
      return JSON.stringify([check.kind, check.column]);
    default:
      return "";
  }
}

function contractAudits(pipeline: Models, contract: AnyContract): AuditDefinition[] {
  const found: AuditDefinition[] = [];
  for (const [first, ...rest] of contract.unique) if (first !== undefined) found.push(unique(first, ...rest));
  for (const [column, { reference }] of Object.entries(contract.columns)) {
    if (reference === undefined) continue;
    const table = tableOf(pipeline, reference.contract());
    // Tables that are read by query come at different moments: what is missing may be on its way.
    if (table !== undefined) found.push(references(column, table, reference.column).warn());
  }
  if (contract.freshness !== undefined) found.push(freshness(contract.freshness).warn());
  return found;
}

/** The first model that has this contract. */
function tableOf(pipeline: Models, contract: unknown): string | undefined {
  for (const layer of ["silver", "gold"] as const)
    for (const [name, model] of Object.entries(pipeline[layer] ?? {}))
      if (model.contract === contract) return `${layer}.${name}`;
  return undefined;
}
