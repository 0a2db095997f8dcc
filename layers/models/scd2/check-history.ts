/** What a model has to be for the history of its table to be kept. */
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import { VALID_FROM, VALID_TO } from "../../definition/model-columns.ts";
import { placedSql } from "../placed-query.ts";
import type { Model } from "../planned-model.ts";
import { rowwiseOddity } from "../row-query.ts";

/** The key of the rows whose versions are kept. */
export const historyKey = ({ contract }: Model): string[] =>
  contract.key.filter((name) => name !== VALID_FROM);

/** Refuses a model whose contract has no place for versions, or whose SQL does not make each of one change. */
export async function checkHistory(duckdb: DuckDb, model: Model): Promise<Model> {
  const reason = contractOddity(model) ?? layerOddity(model);
  if (reason !== undefined) throw historyError(model, ...reason);
  const oddity = await rowwiseOddity(duckdb, model, ["bronze"]);
  if (oddity !== undefined) throw historyError(model, oddity, "SQL that shapes one bronze table row by row");
  if ((await placedSql(duckdb, model)) === undefined)
    throw historyError(
      model,
      "is not one SELECT over its table",
      "SELECT … FROM bronze.… [WHERE …], over a sub-query of that form at most; no WITH, JOIN or unnest",
    );
  return model;
}

type Reason = readonly [reason: string, allowed: string];

const layerOddity = ({ layer }: Model): Reason | undefined =>
  layer === "silver" ? undefined : ["is outside of silver", "scd2 in silver"];

function contractOddity(model: Model): Reason | undefined {
  const { columns, key } = model.contract;
  const [from, to] = [columns[VALID_FROM], columns[VALID_TO]];
  if (from?.type !== "timestamp" || !key.includes(VALID_FROM))
    return [`has no ${VALID_FROM} in the key of its contract`, `${VALID_FROM}: timestamp(), in the key`];
  if (to?.type !== "timestamp" || !to.isNullable || key.includes(VALID_TO))
    return [`has no ${VALID_TO} that may be null`, `${VALID_TO}: timestamp().nullable(), not in the key`];
  if (historyKey(model).length === 0)
    return [`has no key but ${VALID_FROM}`, `the key of its bronze table, and ${VALID_FROM}`];
  return undefined;
}

/** The error of a model of which no history can be kept. */
export const historyError = (model: Model, reason: string, allowed: string): TerminalError =>
  new TerminalError(`model ${model.name} cannot be kept as history: it ${reason}`, {
    code: "MODEL_SCD2",
    value: model.file,
    allowed,
    next: "Correct its contract or its SQL; joins and groups belong into a model that reads this one.",
  });
