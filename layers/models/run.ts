/** What a kind of model is given to run, and what it answers. */
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import type { Model } from "./planned-model.ts";
import type { Inputs } from "./record.ts";

export interface ModelRun {
  readonly model: Model;
  readonly session: Session;
  readonly target: DeltaTable;
  /** Where rows go that break the contract; undefined where such a row fails the run. */
  readonly quarantine: DeltaTable | undefined;
  /** The target before the run. */
  readonly base: Snapshot | undefined;
  readonly inputs: Inputs;
  /** The stores of the inputs, by reference. */
  readonly tables: ReadonlyMap<string, DeltaTable>;
  /** Versions that the target has taken in; undefined for a rebuild. */
  readonly consumed: ReadonlyMap<string, number> | undefined;
}

/** `rebuilt`: made from all of its inputs. `unchanged`: nothing was committed. */
export type ModelStatus = "incremental" | "rebuilt" | "unchanged";

export interface ModelResult {
  readonly status: ModelStatus;
  /** Rows that were read as change (or in all, for a model made anew). */
  readonly rowsIn: number;
  /** Rows that were written. */
  readonly rowsOut: number;
  readonly bytes: number;
  readonly version: number;
  /** Rows of this run that were set aside because they break the contract. */
  readonly held?: number;
}
