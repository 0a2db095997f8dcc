/** What a stateful model declares, checked. */
import { field, type StructField } from "../../../lakehouse/delta/schema.ts";
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { Columns } from "../../../schemas/table.ts";
import type { StepFunction } from "../../definition/model.ts";
import type { Model } from "../planned-model.ts";
import { rowwiseOddity } from "../row-query.ts";

export interface Stepper {
  readonly model: Model;
  /** Columns that the SQL gives. */
  readonly input: Columns;
  readonly inputFields: readonly StructField[];
  readonly by: readonly string[];
  readonly order: readonly string[];
  /** Columns of the contract's key that the steps give values. */
  readonly ownKey: readonly string[];
  readonly step: StepFunction;
}

/** Types whose values are told apart and ordered alike by DuckDB and by their texts' equality. */
const ORDERED = /^(long|integer|short|byte|date|timestamp|string|boolean|decimal\(.*\))$/;

/**
 * What the model declares. Rejects with `MODEL_STATEFUL` where it lacks a part, or its rows could not be told apart or
 * found again.
 */
export async function planSteps(duckdb: DuckDb, model: Model): Promise<Model> {
  const stepper = stepperOf(model);
  const { contract } = model;
  for (const name of stepper.by) {
    if (!contract.key.includes(name))
      throw refused(model, `${name} is in by and not in the key of its contract`, contract.key.join(", "));
  }
  for (const name of [...stepper.by, ...stepper.order]) checkColumn(stepper, name);
  const reason = await rowwiseOddity(duckdb, model, ["bronze", "silver", "gold"]);
  if (reason !== undefined) {
    throw new TerminalError(`model ${model.name} cannot be made step by step: it ${reason}`, {
      code: "MODEL_STATEFUL",
      value: model.file,
      allowed: "SQL that shapes one table row by row",
      next: "Join and aggregate in a model before it.",
    });
  }
  return model;
}

/** What the model declares, complete. */
export function stepperOf(model: Model): Stepper {
  const { contract, input, by = [], order = [], step } = model;
  if (input === undefined || step === undefined || by.length === 0 || order.length === 0) {
    const parts = Object.entries({ input, step, by: by[0], order: order[0] });
    const missing = parts.flatMap(([name, part]) => (part === undefined ? [name] : []));
    throw refused(
      model,
      `it does not say ${missing.join(", ")}`,
      "stateful(contract, { input, by, order, step })",
    );
  }
  const inputFields = Object.entries(input).map(([name, column]) => field(name, column.type));
  const ownKey = contract.key.filter((name) => !by.includes(name) && !order.includes(name));
  return { model, input, inputFields, by, order, ownKey, step };
}

function checkColumn({ model, input }: Stepper, name: string): void {
  const [given, made] = [input[name], model.contract.columns[name]];
  if (given === undefined || made === undefined) {
    const where = given === undefined ? "its input" : `its contract "${model.contract.name}"`;
    throw refused(model, `${name} is not a column of ${where}`, "columns that input and contract both have");
  }
  if (given.type !== made.type)
    throw refused(
      model,
      `${name} is ${String(given.type)} in its input`,
      `${String(made.type)}, as in its contract`,
    );
  if (typeof made.type !== "string" || !ORDERED.test(made.type))
    throw refused(
      model,
      `${name} is of type ${JSON.stringify(made.type)}`,
      "whole numbers, decimals, times, texts",
    );
  if (given.isNullable || made.isNullable)
    throw refused(model, `${name} is nullable`, "columns of by and order that have a value in each row");
}

function refused(model: Model, why: string, allowed: string): TerminalError {
  return new TerminalError(`model ${model.name} cannot be made step by step: ${why}`, {
    code: "MODEL_STATEFUL",
    value: model.name,
    allowed,
    next: "Correct the model in the pipeline.",
  });
}
