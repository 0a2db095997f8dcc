/** Ingot's side of the comparison: the only place here that knows how the kernel reads. */
import { COMMIT_TIMESTAMP, changeFeedSql } from "../../lakehouse/delta/change/change-feed.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";
import { type CanonicalRow, canonicalRows } from "./canonical-rows.ts";
import type { Engine } from "./engine.ts";

/** Ingot as one more reader. Every read opens the table anew, as another process would. */
export class IngotReader implements Engine {
  readonly name = "ingot";
  private readonly duckdb: DuckDb;

  constructor(duckdb: DuckDb) {
    this.duckdb = duckdb;
  }

  async read(path: string, version?: number): Promise<CanonicalRow[]> {
    const table = this.open(path);
    const snapshot = await table.existingSnapshot(version);
    return this.rows(await scanSql(table.store, scannable(snapshot)));
  }

  async newest(path: string): Promise<number> {
    return (await this.open(path).existingSnapshot()).version;
  }

  async changes(path: string, from: number, to: number): Promise<CanonicalRow[]> {
    const feed = await changeFeedSql(this.open(path), from, to);
    return this.rows(`SELECT * EXCLUDE (${identifier(COMMIT_TIMESTAMP)}) FROM (${feed})`);
  }

  private open(path: string): DeltaTable {
    return new DeltaTable(new LocalStore(path), this.duckdb);
  }

  private async rows(sql: string): Promise<CanonicalRow[]> {
    return canonicalRows(await this.duckdb.rows(sql));
  }
}
