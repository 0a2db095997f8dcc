/** What an audit found, and what it may read to find it. */
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import type { AnyContract } from "../../../schemas/table.ts";
import type { AuditSeverity } from "../../definition/audit.ts";

export interface AuditResult {
  readonly audit: string;
  readonly severity: AuditSeverity;
  /** `skipped`: a table that it reads is not there yet. */
  readonly status: "passed" | "failed" | "skipped";
  /** Rows that are wrong; 1 for a figure of the table as a whole. */
  readonly failing: number;
  /** What was looked at: what the run wrote, where the rest is known to be right, or the whole table. */
  readonly checked: "written" | "table";
  /** The figure, the reason. */
  readonly detail?: string;
  /** Few of the rows as JSON, without sensitive columns. */
  readonly examples?: readonly string[];
}

/** A table of the pipeline at the version that an audit is to see. */
export interface TableAt {
  readonly table: DeltaTable;
  readonly snapshot: Snapshot;
}

/** What audits of a run read beside the model's own table, and where their results go. */
export interface AuditContext {
  /** A table by `layer.name`; undefined where it is not there yet. */
  readonly read: (reference: string) => Promise<TableAt | undefined>;
  /** Contracts of the pipeline's models by `layer.name`. */
  readonly contracts: ReadonlyMap<string, AnyContract>;
  readonly report: (results: readonly AuditResult[]) => void;
}
