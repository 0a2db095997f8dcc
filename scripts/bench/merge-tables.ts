/** The tables of the merge benchmark, what is merged into them, and what must come out. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { createTable, openTable } from "../../lakehouse/table/open.ts";
import { digestSql, linkTable, ORDERS, ordersSql, spreadKeysSql } from "./orders.ts";

/** Tables to be copied, sources to be merged, and results to be checked. */
export class MergeTables {
  readonly folder: string;
  readonly duckdb: DuckDb;

  constructor(folder: string, duckdb: DuckDb) {
    this.folder = folder;
    this.duckdb = duckdb;
  }

  /** Writes a table once without and, over the same files, once with deletion vectors. */
  async prepare(name: string, rows: number): Promise<void> {
    const { duckdb } = this;
    const table = await createTable(join(this.folder, `${name}-rewrite`), { schema: ORDERS, duckdb });
    await table.append({ sql: ordersSql(`SELECT i AS id FROM range(${rows}) t(i)`) });
    await linkTable(join(this.folder, `${name}-rewrite`), join(this.folder, `${name}-vectors`));
    const vectors = await openTable(join(this.folder, `${name}-vectors`), { duckdb });
    await vectors.alter({ setProperties: { "delta.enableDeletionVectors": "true" } });
  }

  /** A copy that may be changed. */
  async copy(table: string, to: string): Promise<string> {
    const place = join(this.folder, "copies", to);
    await rm(place, { recursive: true, force: true });
    await linkTable(join(this.folder, table), place);
    return place;
  }

  /** A Parquet file of changed rows, keys spread evenly. */
  async source(rows: number, keys: number): Promise<string> {
    const file = join(this.folder, `source-${rows}-${keys}.parquet`);
    const sql = ordersSql(spreadKeysSql(rows, keys), 1);
    await this.duckdb.rows(`COPY (${sql}) TO ${literal(file)} (FORMAT parquet)`);
    return file;
  }

  /** Refuses a table that does not hold exactly what the merge should have left. */
  async check(place: string, rows: number, keys: number): Promise<void> {
    const expected = `${ordersSql(`SELECT i AS id FROM range(${rows}) t(i) ANTI JOIN (${spreadKeysSql(rows, keys)}) AS k ON i = k.id`)} UNION ALL ${ordersSql(spreadKeysSql(rows, keys), 1)}`;
    const { sql } = await (await (await openTable(place, this)).snapshot()).scan();
    const [wanted] = await this.duckdb.rows(digestSql(expected));
    const [found] = await this.duckdb.rows(digestSql(sql));
    if (found?.digest !== wanted?.digest)
      throw new Error(`${place} holds ${found?.digest}, not ${wanted?.digest}`);
  }
}
