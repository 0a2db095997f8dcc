/** What sets the kinds of models apart: what each refuses, how it runs. */
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import type { ModelKind } from "../definition/model.ts";
import type { Model } from "./planned-model.ts";
import type { ModelResult, ModelRun } from "./run.ts";

export interface Kind {
  /** Refuses a model that this kind cannot keep up to date, and adds what its SQL shows. */
  readonly plan: (duckdb: DuckDb, model: Model) => Promise<Model>;
  readonly run: (run: ModelRun) => Promise<ModelResult>;
  /** Whether rows that break the contract are set aside; else they fail the run. */
  readonly hasQuarantine?: true;
  /** Whether the table needs a run although no input changed. */
  readonly isDue?: (model: Model, base: Snapshot, now: number) => boolean;
}

export type Kinds = Readonly<Record<ModelKind, Kind>>;
