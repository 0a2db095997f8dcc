/** Ingot's side of the tables that others read: the only place here that knows how the kernel writes. */
import { alterTable } from "../../lakehouse/delta/alter.ts";
import type { Alteration } from "../../lakehouse/delta/alter-columns.ts";
import { appendRows } from "../../lakehouse/delta/change/append.ts";
import { deleteRows } from "../../lakehouse/delta/change/delete.ts";
import { mergeRows } from "../../lakehouse/delta/change/merge.ts";
import type { MergeSpec } from "../../lakehouse/delta/change/merge-spec.ts";
import { overwriteRows } from "../../lakehouse/delta/change/overwrite.ts";
import { updateRows } from "../../lakehouse/delta/change/update.ts";
import { type CreateOptions, createTable } from "../../lakehouse/delta/create.ts";
import { inferSchema } from "../../lakehouse/delta/infer-schema.ts";
import { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { LocalStore } from "../../lakehouse/store/local.ts";

/** Writes one table; every operation is a commit. Rows are given as DuckDB SQL. */
export class IngotWriter {
  private readonly table: DeltaTable;

  constructor(path: string, duckdb: DuckDb) {
    this.table = new DeltaTable(new LocalStore(path), duckdb);
  }

  /** Makes the table with the columns of a query, and puts its rows in. */
  async create(sql: string, options: Omit<CreateOptions, "schema"> = {}): Promise<void> {
    const session = await this.table.duckdb.session();
    try {
      const schema = inferSchema(await session.describe(sql));
      await createTable(this.table, { ...options, schema });
    } finally {
      await session.close();
    }
    await this.append(sql);
  }

  async append(sql: string, evolveSchema = false): Promise<void> {
    await appendRows(this.table, sql, { evolveSchema });
  }

  async overwrite(sql: string, where?: string): Promise<void> {
    await overwriteRows(this.table, sql, where === undefined ? {} : { where });
  }

  async delete(where?: string): Promise<void> {
    await deleteRows(this.table, where);
  }

  async update(set: Readonly<Record<string, string>>, where?: string): Promise<void> {
    await updateRows(this.table, set, where);
  }

  async merge(spec: MergeSpec): Promise<void> {
    await mergeRows(this.table, spec);
  }

  async alter(...alterations: readonly Alteration[]): Promise<void> {
    await alterTable(this.table, ...alterations);
  }
}
