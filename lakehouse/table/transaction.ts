/** Several writes as one commit. */
import type { Action, AddFile, DomainMetadata } from "../delta/actions.ts";
import { alignedSql, shapeFor } from "../delta/change/incoming.ts";
import type { CommitOutcome } from "../delta/commit.ts";
import { removeOf } from "../delta/metadata.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { type Source, sessionOf, withSource } from "../delta/source.ts";
import type { DeltaTable } from "../delta/table.ts";

/**
 * Writes that become visible together. Files are written when rows are given, and named by `commit`. A commit that
 * another one stands in the way of is a returned outcome, not an error: begin a new transaction and decide again.
 */
export class Transaction {
  /** The version on which everything is decided. */
  readonly base: Snapshot;
  private readonly table: DeltaTable;
  private readonly actions: Action[] = [];
  private readonly added: AddFile[] = [];
  private reads: "nothing" | "table" = "nothing";

  constructor(table: DeltaTable, base: Snapshot) {
    this.table = table;
    this.base = base;
  }

  /** Adds rows; resolves to how many. */
  async append(source: Source): Promise<number> {
    return withSource(source, this.base.schema, async (sql) => {
      const given = sessionOf(source);
      const session = given ?? (await this.table.duckdb.session());
      try {
        const shape = await shapeFor(session, sql, this.base, false);
        const staged = await this.table.stage(session, alignedSql(sql, shape.schema, shape.given), this.base);
        this.added.push(...staged.files);
        return staged.rows;
      } finally {
        if (given === undefined) await session.close();
      }
    });
  }

  /** Takes files away, all rows of them. What is removed was looked at: other changes of the table are conflicts. */
  remove(files: Iterable<AddFile>): void {
    const now = this.table.now();
    this.reads = "table";
    for (const file of files) this.actions.push({ remove: removeOf(file, now) });
  }

  /** Says that the commit depends on all rows of the base version. */
  readTable(): void {
    this.reads = "table";
  }

  /** Records how far an application has come; a second commit of the same application is a conflict. */
  record(appId: string, version: number): void {
    this.actions.push({ txn: { appId, version, lastUpdated: this.table.now() } });
  }

  /** Sets the text that a domain keeps in the table; needs the feature `domainMetadata`. */
  describe(domain: string, configuration: string): void {
    const domainMetadata: DomainMetadata = { domain, configuration, removed: false };
    this.actions.push({ domainMetadata });
  }

  /** Commits everything. After `lost` the written files are gone and the transaction is of no more use. */
  async commit(
    operation = "WRITE",
    parameters: Readonly<Record<string, unknown>> = {},
  ): Promise<CommitOutcome> {
    const outcome = await this.table.commit({
      base: this.base,
      operation,
      operationParameters: parameters,
      actions: [...this.actions, ...this.added.map((add) => ({ add }))],
      reads: this.reads,
    });
    if (outcome.status === "lost") await this.rollback();
    return outcome;
  }

  /** Drops what was written. */
  async rollback(): Promise<void> {
    await this.table.discard({ files: this.added });
  }
}
