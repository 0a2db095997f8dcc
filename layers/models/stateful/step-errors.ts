/** What went wrong at which row, without personal values: an error is read by more people than a table. */
import { messageOf, TerminalError } from "../../../lakehouse/errors.ts";
import type { PlainRow } from "./row-columns.ts";
import type { Stepper } from "./stepper.ts";

/** What a step threw. */
export function stepFailed(stepper: Stepper, row: PlainRow, cause: unknown): TerminalError {
  // The words of an error may quote the row that it is about.
  const why = hasSensitive(stepper) ? "" : `: ${messageOf(cause)}`;
  return new TerminalError(`the step of model ${stepper.model.name} failed${why}`, {
    code: "MODEL_STEP_FAILED",
    value: shown(stepper, row),
    next: "Correct the step. Nothing was committed.",
    ...(hasSensitive(stepper) ? {} : { cause }),
  });
}

/** What a step gave that cannot be taken. `broken`: a column, and why its value is none. */
export function badStep(
  stepper: Stepper,
  row: PlainRow,
  why: string,
  broken?: readonly [string, string],
): TerminalError {
  const isShown =
    broken !== undefined && stepper.model.contract.columns[broken[0]]?.sensitivity === undefined;
  return new TerminalError(`the step of model ${stepper.model.name} ${why}`, {
    code: "MODEL_STEP",
    value: shown(stepper, row),
    allowed: isShown
      ? broken.join(": ")
      : "a list of rows of the contract: that of the newest row's key, rows after it, or none where there is a newest row",
    next: "Correct the step, or leave the row out in its SQL. Nothing was committed.",
  });
}

/** A row of the SQL that is none of the declared input. */
export function brokenInput(
  { model, input }: Stepper,
  row: PlainRow,
  column: string,
  why: string,
): TerminalError {
  const stepper = { model, input };
  return new TerminalError(`model ${model.name} gives its step a row that breaks its input: ${column}`, {
    code: "CONTRACT_BROKEN",
    value: shown(stepper, row),
    allowed:
      input[column]?.sensitivity === undefined ? `${column}: ${why}` : `a value of the column ${column}`,
    next: `Correct ${model.file}, or the input of the model. Nothing was committed.`,
  });
}

type Shown = Pick<Stepper, "model" | "input">;

const sensitivityOf = ({ model, input }: Shown, name: string) =>
  input[name]?.sensitivity ?? model.contract.columns[name]?.sensitivity;

const hasSensitive = (stepper: Shown) =>
  [...Object.keys(stepper.input), ...Object.keys(stepper.model.contract.columns)].some(
    (name) => sensitivityOf(stepper, name) !== undefined,
  );

function shown(stepper: Shown, row: PlainRow): string {
  const entries = Object.entries(row).filter(([name]) => sensitivityOf(stepper, name) === undefined);
  const text = JSON.stringify(Object.fromEntries(entries), (_, value) =>
    typeof value === "bigint" ? String(value) : value,
  );
  return text.slice(0, 1000);
}
