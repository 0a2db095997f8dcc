/** Tables that are looked at again and again: what is known of them is kept from one look to the next. */
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";

/** Milliseconds after which a table is opened anew: one that was removed and made again looks like one that rests. */
const REOPENED_EVERY = 600_000;

/** Not those of the runtime's lake: what nobody looks at any more is let go of. */
export class OpenTables {
  private readonly lake: Pick<Lake, "store" | "duckdb">;
  private readonly now: () => number;
  private readonly opened = new Map<TablePath, { readonly at: number; readonly table: DeltaTable }>();
  private renewing: Promise<void> | undefined;
  private closed = false;

  /** `now`: milliseconds of any clock that only goes on. */
  constructor(lake: Pick<Lake, "store" | "duckdb">, now: () => number = () => performance.now()) {
    this.lake = lake;
    this.now = now;
  }

  table(path: TablePath): DeltaTable {
    const { at, table } = this.opened.get(path) ?? { at: this.now(), table: this.open(path) };
    this.opened.set(path, { at, table });
    return table;
  }

  /**
   * Lets go of all but these, and begins to open anew, one by one, those that were opened long ago; until one is read
   * it is as it was. Never rejects.
   */
  renew(declared: ReadonlySet<TablePath>): Promise<void> {
    for (const path of this.opened.keys()) if (!declared.has(path)) this.opened.delete(path);
    this.renewing ??= this.reopen().finally(() => {
      this.renewing = undefined;
    });
    return this.renewing;
  }

  /** Opens no more anew; resolves when none is read for it. */
  async close(): Promise<void> {
    this.closed = true;
    await this.renewing;
  }

  private async reopen(): Promise<void> {
    const before = this.now() - REOPENED_EVERY;
    const due = [...this.opened].flatMap(([path, { at }]) => (at <= before ? [path] : []));
    for (const path of due) {
      if (this.closed) return;
      const at = this.now();
      const table = this.open(path);
      // Whoever looks next meets the same, and says so.
      await table.snapshot().catch(() => {});
      if (this.opened.has(path)) this.opened.set(path, { at, table });
    }
  }

  private open(path: TablePath): DeltaTable {
    return new DeltaTable(this.lake.store.within(path), this.lake.duckdb);
  }
}
