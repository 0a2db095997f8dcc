/** Audits checked without making any: their SQL is bound to empty tables in the columns that they will have. */
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { codeOf, messageOf } from "../../lakehouse/errors.ts";
import type { PlannedAudit } from "../models/audit/plan-audits.ts";
import { acceptedSql, wrongRows } from "../models/audit/wrong-rows.ts";
import { contractSchema } from "../models/contract.ts";
import type { Model } from "../models/planned-model.ts";
import { emptySql, type InputSchemas, type Problem } from "./check-model.ts";

/** Problems of a model's audits. `schemas`: of all that they read, as far as it is known. The session is to be empty. */
export async function checkAudits(session: Session, model: Model, schemas: InputSchemas): Promise<Problem[]> {
  const own = contractSchema(model.contract);
  await session.view(model.layer, model.table, emptySql(own));
  for (const [reference, schema] of schemas) {
    const [layer = "", name = ""] = reference.split(".");
    if (reference !== model.name) await session.view(layer, name, emptySql(schema));
  }
  const problems: Problem[] = [];
  for (const audit of model.audits) {
    if (!audit.reads.every((reference) => schemas.has(reference))) continue;
    const problem = await bind(session, model, audit);
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}

async function bind(session: Session, model: Model, audit: PlannedAudit): Promise<Problem | undefined> {
  const { check, name } = audit;
  const relations = {
    own: `${identifier(model.layer)}.${identifier(model.table)}`,
    written: undefined,
  };
  try {
    if (check.kind === "references") {
      const target = check.table.split(".").map(identifier).join(".");
      const on = `t.${identifier(check.column)} = r.${identifier(check.to)}`;
      await session.describe(`SELECT * FROM ${relations.own} AS t ANTI JOIN ${target} AS r ON ${on}`);
    } else if (check.kind === "acceptedValues") {
      // Values are cast when the query runs.
      await session.rows(`SELECT ${acceptedSql(model, check).join(", ")}`);
    } else if (check.kind !== "rowCount" && check.kind !== "freshness") {
      await session.describe(wrongRows(model, check, relations).sql);
    }
    return undefined;
  } catch (error) {
    if (codeOf(error) !== "DUCKDB_SQL") throw error;
    const problem = `has an audit ${name} that cannot be made: ${messageOf(error).split("\n")[0] ?? ""}`;
    const next = `Correct the audits of ${model.name} in the pipeline.`;
    return { code: "AUDIT_SQL", model: model.name, file: model.file, problem, next };
  }
}
