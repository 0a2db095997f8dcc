/** One model: its SQL, what it reads, how its table is kept. */
import type { AnyContract } from "../../schemas/table.ts";
import type { CompiledContract } from "../contract/rule.ts";
import type { AggregateOptions, ModelKind, QuarantineOptions } from "../definition/pipeline.ts";
import type { GroupQuery } from "./aggregate/group-query.ts";

export interface Model {
  readonly layer: "silver" | "gold";
  /** `silver.orders` */
  readonly name: string;
  readonly table: string;
  readonly kind: ModelKind;
  readonly contract: AnyContract;
  /** What the contract asks of a row. */
  readonly rules: CompiledContract;
  readonly quarantine: QuarantineOptions;
  readonly sql: string;
  /** File of the SQL, for messages. */
  readonly file: string;
  /** Tables that the SQL reads, as `layer.table`. */
  readonly references: readonly string[];
  readonly touches: AggregateOptions["touches"];
  readonly reach: AggregateOptions["reach"];
  /** The groups of an aggregate as its SQL shows them. */
  readonly groups?: GroupQuery | undefined;
  /** Changes whenever the SQL, the kind or the contract does. */
  readonly fingerprint: string;
}
