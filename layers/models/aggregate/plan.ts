/** Whether an aggregate can be kept up to date, said before anything runs. */
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { Model } from "../planned-model.ts";
import { functionsIn, parseQuery } from "../syntax.ts";
import { type GroupQuery, groupQuery } from "./group-query.ts";

/**
 * The groups of an aggregate as its SQL shows them; undefined where it declares all that a change touches. Rejects
 * with `MODEL_AGGREGATE` where neither says it.
 */
export async function planGroups(duckdb: DuckDb, model: Model): Promise<GroupQuery | undefined> {
  const { contract, references, touches = {} } = model;
  if (contract.key.length === 0) {
    throw refused(
      model,
      `its contract "${contract.name}" has no key`,
      "Give the contract the key of its groups, or make it a full model: a figure of one row over small groups.",
    );
  }
  for (const reference of Object.keys(touches)) {
    if (references.includes(reference)) continue;
    throw refused(
      model,
      `it says what ${reference} touches and does not read it`,
      `Name one of: ${references.join(", ")}.`,
    );
  }
  const unsteady = await functionsIn(duckdb, await parseQuery(duckdb, model.sql), "unsteady");
  if (unsteady.length > 0) {
    throw refused(
      model,
      `what it gives depends on when it runs (${unsteady.join(", ")})`,
      "Group over all time, and take the time of the run in a full model over the groups.",
    );
  }
  const found = await groupQuery(duckdb, model.sql, contract.key);
  if (typeof found !== "string") return found;
  const silent = references.filter((reference) => touches[reference] === undefined);
  if (silent.length === 0) return undefined;
  const declared = silent.map((reference) => `"${reference}": "SELECT … FROM changed"`).join(", ");
  throw refused(
    model,
    found,
    `Make it one SELECT over joined tables with GROUP BY, or declare touches: { ${declared} }.`,
  );
}

/** The error for an input of which the SQL does not show the groups that it touches. */
export function hiddenInput(model: Model, reference: string): TerminalError {
  return refused(
    model,
    `its key depends on whether ${reference} has a match, through more than one left join`,
    `Declare touches: { "${reference}": "SELECT ${model.contract.key.join(", ")} FROM changed …" }.`,
  );
}

function refused(model: Model, why: string, next: string): TerminalError {
  return new TerminalError(`model ${model.name} cannot be kept as an aggregate: ${why}`, {
    code: "MODEL_AGGREGATE",
    value: model.file,
    allowed: "SQL that shows which groups a changed row touches, or a declaration of them",
    next,
  });
}
