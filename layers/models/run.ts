/** What a kind of model is given to run, and what it answers. */
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import type { AuditContext } from "./audit/audit-result.ts";
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
  /** Why it is a rebuild, where it is one from the beginning. */
  readonly reason?: string | undefined;
  /** Opens the place for old images; undefined where they stay in the model's table. */
  readonly cold?: (() => Promise<ColdPlace>) | undefined;
  /** What audits read; undefined where none are made. */
  readonly audits?: AuditContext | undefined;
  /** What a run has to write elsewhere, once its table has passed the audits and before it is committed. */
  readonly beforeCommit?: () => Promise<void>;
}

/** A table for images that are old, and the id of the lake that they come from. */
export interface ColdPlace {
  readonly table: DeltaTable;
  readonly from: string;
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
  /** Of a table made anew: why. */
  readonly reason?: string;
  /** What went wrong beside the table, which is as it is to be. */
  readonly warning?: string;
  /** Rows of this run that were set aside because they break the contract. */
  readonly held?: number;
}
