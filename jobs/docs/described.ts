/** What a page of documentation tells of a pipeline: plain data, gathered from definition, lineage and lake. */
import type { AuditSeverity } from "../../layers/definition/audit.ts";

export interface DescribedColumn {
  readonly name: string;
  /** Delta's name of the type. */
  readonly type: string;
  /** Absent where nobody said (bronze takes what the source has). */
  readonly nullable: boolean | undefined;
  readonly description: string | undefined;
  /** `key`, `unique`, `→ users.id`: marks beside the name. */
  readonly marks: readonly string[];
  /** What its values have to keep: SQL, or the check as it was written. */
  readonly checks: readonly string[];
  /** Columns whose values go in, then those that only decide. */
  readonly from: readonly DescribedOrigin[];
}

export interface DescribedOrigin {
  /** `silver.orders` */
  readonly table: string;
  readonly column: string;
  readonly role: "value" | "condition";
}

/** What the lake holds of a table. */
export interface DescribedState {
  readonly rows: number;
  readonly bytes: number;
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly changedAt: number | undefined;
}

export interface DescribedRun {
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly status: string;
  readonly rowsIn: number;
  readonly rowsOut: number;
}

export interface DescribedTable {
  /** `silver.orders` */
  readonly name: string;
  readonly layer: "bronze" | "silver" | "gold";
  /** Kind of the model; absent for bronze. */
  readonly kind: string | undefined;
  readonly description: string | undefined;
  readonly columns: readonly DescribedColumn[];
  /** Checks over several columns. */
  readonly checks: readonly {
    readonly name: string;
    readonly sql: string;
    readonly message: string | undefined;
  }[];
  /** What is held against the table as a whole before a commit of it is seen. */
  readonly audits: readonly {
    readonly name: string;
    readonly severity: AuditSeverity;
    /** SQL of an audit that is a query. */
    readonly sql: string | undefined;
  }[];
  /** Names in its SQL that were not found: where columns come from is not known whole. */
  readonly unresolved: readonly string[];
  /** What decides which rows there are. */
  readonly rowsBy: readonly DescribedOrigin[];
  /** Tables that it reads, and those that read it. */
  readonly inputs: readonly string[];
  readonly users: readonly string[];
  readonly sql: string | undefined;
  /** Title under which it is published. */
  readonly published: string | undefined;
  readonly state: DescribedState | undefined;
  readonly lastRun: DescribedRun | undefined;
}

export interface DescribedPipeline {
  readonly name: string;
  /** In the order in which rows flow. */
  readonly tables: readonly DescribedTable[];
}
