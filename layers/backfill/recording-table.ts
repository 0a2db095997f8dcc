/** A table each commit of which carries the record of a backfill: what is committed is what is recorded. */
import type { Action } from "../../lakehouse/delta/actions.ts";
import type { CommitOutcome, Proposal } from "../../lakehouse/delta/commit.ts";
import { DeltaTable } from "../../lakehouse/delta/table.ts";

export class RecordingTable extends DeltaTable {
  private readonly label: string;
  private record: readonly Action[] = [];

  /** `label`: what the history of the table says of its commits. */
  constructor({ store, duckdb, now }: DeltaTable, label: string) {
    super(store, duckdb, { now });
    this.label = label;
  }

  /** What the commits from now on carry. */
  carry(record: readonly Action[]): void {
    this.record = record;
  }

  override commit(proposal: Proposal): Promise<CommitOutcome> {
    return super.commit({
      ...proposal,
      operationParameters: { ...proposal.operationParameters, backfill: this.label },
      actions: [...proposal.actions, ...this.record],
    });
  }
}
