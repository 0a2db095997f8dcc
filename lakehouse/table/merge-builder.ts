/** A merge, said clause by clause. */
import { mergeRows } from "../delta/change/merge.ts";
import type {
  InsertClause,
  MergeResult,
  MergeSpec,
  MergeValues,
  RowClause,
} from "../delta/change/merge-spec.ts";
import type { DeltaTable } from "../delta/table.ts";

/**
 * Builds a merge; nothing happens before `execute`. Conditions and values are SQL in which the table is called
 * `target` and the rows that are merged `source`. Of several clauses of a kind the first whose `when` is true decides.
 *
 * ```ts
 * await table
 *   .merge({ rows }, "target.id = source.id")
 *   .whenMatchedDelete({ when: "source.deleted" })
 *   .whenMatchedUpdate("all")
 *   .whenNotMatchedInsert("all")
 *   .execute();
 * ```
 */
export class MergeBuilder {
  private readonly table: DeltaTable;
  private readonly spec: MergeSpec;

  constructor(table: DeltaTable, spec: MergeSpec) {
    this.table = table;
    this.spec = spec;
  }

  /** A row that the source matches gets new values: SQL by column, or `all` that the source has. */
  whenMatchedUpdate(update: MergeValues, condition: Condition = {}): MergeBuilder {
    return this.with("matched", { ...condition, update });
  }

  whenMatchedDelete(condition: Condition = {}): MergeBuilder {
    return this.with("matched", { ...condition, delete: true });
  }

  /** A row of the source that matches none becomes a new row. */
  whenNotMatchedInsert(insert: MergeValues, condition: Condition = {}): MergeBuilder {
    return this.with("notMatched", { ...condition, insert });
  }

  /** A row of the table that the source does not match gets new values. */
  whenNotMatchedBySourceUpdate(update: Exclude<MergeValues, "all">, condition: Condition = {}): MergeBuilder {
    return this.with("notMatchedBySource", { ...condition, update });
  }

  whenNotMatchedBySourceDelete(condition: Condition = {}): MergeBuilder {
    return this.with("notMatchedBySource", { ...condition, delete: true });
  }

  /** Columns that only the source has are added to the table, for `all` clauses to fill. */
  withSchemaEvolution(): MergeBuilder {
    return new MergeBuilder(this.table, { ...this.spec, evolveSchema: true });
  }

  /** Runs the merge, again on a newer version where another commit was in the way. */
  execute(): Promise<MergeResult> {
    return mergeRows(this.table, this.spec);
  }

  private with(
    kind: "matched" | "notMatched" | "notMatchedBySource",
    clause: RowClause | InsertClause,
  ): MergeBuilder {
    return new MergeBuilder(this.table, { ...this.spec, [kind]: [...(this.spec[kind] ?? []), clause] });
  }
}

interface Condition {
  /** SQL; the clause applies where it is true. */
  readonly when?: string;
}
