/** What a kind of model is given to run, and what it answers. */

import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import type { DeltaTable, Write } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { TransientError } from "../../lakehouse/errors.ts";
import { checkNulls, contractSchema } from "./contract.ts";
import type { Model } from "./model.ts";
import { type Inputs, recordActions } from "./record.ts";

export interface ModelRun {
  readonly model: Model;
  readonly session: Session;
  readonly target: DeltaTable;
  /** The target before the run. */
  readonly base: Snapshot | undefined;
  readonly inputs: Inputs;
  /** The stores of the inputs, by reference. */
  readonly tables: ReadonlyMap<string, DeltaTable>;
  /** Versions that the target has taken in; undefined for a rebuild. */
  readonly consumed: ReadonlyMap<string, number> | undefined;
}

export interface ModelResult {
  /** Rows that were read as change (or in all, for a model made anew). */
  readonly rowsIn: number;
  /** Rows that were written. */
  readonly rowsOut: number;
  readonly bytes: number;
  readonly version: number;
}

/** Commits what a model staged, with the record of what it was made from. */
export async function commitModel(
  run: ModelRun,
  staged: Staged,
  removes: Write["removes"],
  operation: string,
): Promise<number> {
  const { model, target, base, inputs } = run;
  try {
    checkNulls(model, staged);
  } catch (error) {
    await target.discard(staged);
    throw error;
  }
  const outcome = await target.write({
    operation,
    parameters: { model: model.name },
    base,
    schema: contractSchema(model.contract),
    staged,
    removes: removes ?? [],
    reads: "table",
    description: model.contract.description,
    ...recordActions(model, inputs, Date.now()),
  });
  if (outcome.status === "committed") return outcome.version;
  throw new TransientError(`another run built ${model.name} at the same time`, {
    code: "MODEL_RACE_LOST",
    value: outcome.reason,
    next: "Its result stands; this one was dropped. Run again if something is missing.",
  });
}
