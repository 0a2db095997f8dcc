/** One model: its SQL, what it reads, how its table is kept. */
import type { CompiledContract } from "../contract/rule.ts";
import type { ModelDefinition } from "../definition/model.ts";
import type { GroupQuery } from "./aggregate/group-query.ts";
import type { PlannedAudit } from "./audit/plan-audits.ts";

export interface Model extends ModelDefinition {
  readonly layer: "silver" | "gold";
  /** `silver.orders` */
  readonly name: string;
  readonly table: string;
  /** What the contract asks of a row. */
  readonly rules: CompiledContract;
  readonly sql: string;
  /** File of the SQL, for messages. */
  readonly file: string;
  /** Tables that the SQL reads, as `layer.table`. */
  readonly references: readonly string[];
  /** Whether rows that it reads or gives may hold sensitive values: errors then name none. */
  readonly readsSensitive: boolean;
  /** The groups of an aggregate as its SQL shows them. */
  readonly groups?: GroupQuery | undefined;
  /** All that is held against its table, what its contract amounts to included. */
  readonly audits: readonly PlannedAudit[];
  /** Changes whenever the SQL, the kind or the contract does. */
  readonly fingerprint: string;
  /** Digests of what decides its rows, by name: they tell what changed. */
  readonly parts: Readonly<Record<string, string>>;
}
