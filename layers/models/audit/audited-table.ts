/** The table that audits look at: a version that is there, or the one that a commit would make, as relations. */
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import type { ModelRun } from "../run.ts";
import type { AuditContext, TableAt } from "./audit-result.ts";

/** Relation with the rows of files that the table did not have before. */
const WRITTEN = "written";

/** A table that an audit reads is not there. */
export class MissingTable extends Error {}

export class AuditedTable {
  readonly snapshot: Snapshot;
  /** Rows of the table. */
  readonly own: string;
  /** The run's table before; undefined where there was none. */
  readonly base: Snapshot | undefined;
  private readonly run: Pick<ModelRun, "model" | "target">;
  private readonly context: AuditContext;
  private readonly laid = new Map<string, TableAt>();
  private opened: Session | undefined;

  constructor(run: Pick<ModelRun, "model" | "target" | "base">, context: AuditContext, snapshot: Snapshot) {
    const { layer, table } = run.model;
    this.run = run;
    this.base = run.base;
    this.context = context;
    this.snapshot = snapshot;
    this.own = `${identifier(layer)}.${identifier(table)}`;
  }

  /** Whether part of the table is as it was before, so that what was written can be told from the rest. */
  get isPart(): boolean {
    return [...this.snapshot.files.keys()].some((path) => this.base?.files.has(path));
  }

  /** The relation of all rows that the table did not have before, and maybe some that it had. */
  async written(): Promise<string> {
    const { store } = this.run.target;
    const files = [...this.snapshot.files.values()].filter(({ path }) => !this.base?.files.has(path));
    const session = await this.session();
    await session.view("main", WRITTEN, await scanSql(store, { ...scannable(this.snapshot), files }));
    return `main.${WRITTEN}`;
  }

  /** A session of its own: that of the run may have but parts of the inputs under their names. */
  async session(): Promise<Session> {
    if (this.opened !== undefined) return this.opened;
    const { model, target } = this.run;
    this.opened = await target.duckdb.session();
    await this.opened.view(model.layer, model.table, await scanSql(target.store, scannable(this.snapshot)));
    return this.opened;
  }

  /** Makes the view of another table. Rejects with `MissingTable` where it is not there. */
  async lay(reference: string): Promise<TableAt> {
    const known = this.laid.get(reference);
    if (known !== undefined) return known;
    const found = await this.context.read(reference);
    if (found === undefined) throw new MissingTable(`${reference} is not there yet`);
    const [layer = "", name = ""] = reference.split(".");
    const session = await this.session();
    await session.view(layer, name, await scanSql(found.table.store, scannable(found.snapshot)));
    this.laid.set(reference, found);
    return found;
  }

  async close(): Promise<void> {
    await this.opened?.close();
  }
}
