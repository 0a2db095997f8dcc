/** Reading one version of a table. */
import { selectFiles } from "../delta/change/select-files.ts";
import { existingField } from "../delta/evolve.ts";
import { explainReadError } from "../delta/scan/read-error.ts";
import { scannable, scanSql } from "../delta/scan.ts";
import type { StructType } from "../delta/schema.ts";
import type { Snapshot } from "../delta/snapshot.ts";
import { countRows, rowCount } from "../delta/stats.ts";
import type { DeltaTable } from "../delta/table.ts";
import type { Row as DuckRow } from "../duckdb/duckdb.ts";
import { identifier } from "../duckdb/quote.ts";

export interface ScanOptions {
  /** SQL condition; files that cannot hold such rows are not read. */
  readonly where?: string;
  /** Columns to read; all by default. */
  readonly columns?: readonly string[];
}

export class TableSnapshot<Row extends object> {
  readonly state: Snapshot;
  private readonly table: DeltaTable;
  private readonly toRow: (row: DuckRow) => Row;

  constructor(table: DeltaTable, state: Snapshot, toRow: (row: DuckRow) => Row) {
    this.table = table;
    this.state = state;
    this.toRow = toRow;
  }

  get version(): number {
    return this.state.version;
  }

  get schema(): StructType {
    return this.state.schema;
  }

  /** Plans a read: the files are chosen now, the rows read when they are asked for. */
  async scan({ where, columns }: ScanOptions = {}): Promise<Scan<Row>> {
    const { table, state } = this;
    const selection = where === undefined ? undefined : await selectFiles(table.duckdb, state, where);
    const files = selection ? [...selection.files, ...selection.whole] : [...state.files.values()];
    const sql = await scanSql(table.store, { ...scannable(state), files });
    const names =
      columns?.map((name) => identifier(existingField(state.schema, name).name)).join(", ") ?? "*";
    return new Scan(
      table,
      `SELECT ${names} FROM (${sql})${where === undefined ? "" : ` WHERE (${where}\n)`}`,
      this.toRow,
      files.length,
    );
  }

  /** All rows, or those that fulfil the condition, as one array; `scan` for more than fits. */
  async rows(options?: ScanOptions): Promise<Row[]> {
    return (await this.scan(options)).rows();
  }

  /** The number of rows, from statistics where they say it. */
  async count(): Promise<number> {
    const files = [...this.state.files.values()];
    if (files.every((file) => rowCount(file) !== undefined)) return countRows(files);
    const sql = await scanSql(this.table.store, scannable(this.state));
    const [counted] = await this.table.duckdb.rows(`SELECT count(*) AS n FROM (${sql})`);
    return Number(counted?.n);
  }
}

/** Rows of a table that can be had in several ways. */
export class Scan<Row extends object> {
  /** DuckDB SQL that gives the rows; it stays right until the files are vacuumed. */
  readonly sql: string;
  /** Files that it reads. */
  readonly files: number;
  private readonly table: DeltaTable;
  private readonly toRow: (row: DuckRow) => Row;

  constructor(table: DeltaTable, sql: string, toRow: (row: DuckRow) => Row, files = 0) {
    this.table = table;
    this.sql = sql;
    this.toRow = toRow;
    this.files = files;
  }

  async rows(): Promise<Row[]> {
    const { duckdb, store } = this.table;
    const rows = await duckdb.rows(this.sql).catch((error: unknown) => {
      throw explainReadError(error, store.root);
    });
    return rows.map(this.toRow);
  }

  /** Rows one by one; memory does not grow with their number. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Row> {
    const session = await this.table.duckdb.session();
    try {
      const { columns, chunks } = await session.stream(this.sql);
      for await (const chunk of chunks) {
        for (const values of chunk)
          yield this.toRow(Object.fromEntries(columns.map(({ name }, i) => [name, values[i]])));
      }
    } catch (error) {
      throw explainReadError(error, this.table.store.root);
    } finally {
      await session.close();
    }
  }
}
