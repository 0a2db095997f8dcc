/** The columns of a bronze table: what the source has, and beside it what happened to the row and when. */

import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { META } from "../definition/bronze-columns.ts";
import type { TableDescription } from "./postgres/catalog.ts";

export function bronzeSchema(table: TableDescription): StructType {
  return {
    type: "struct",
    fields: [
      ...table.columns.map((column) => field(column.name, column.deltaType)),
      field(META.operation, "string", true, "r: historical load, u: inserted or updated, d: deleted"),
      field(
        META.lsn,
        "long",
        true,
        "orders the changes of this table: WAL position, in bytes, of the snapshot that showed the row",
      ),
      field(
        META.transaction,
        "long",
        true,
        "64-bit id of the transaction that wrote the row; null where none was running",
      ),
      field(META.ingestedAt, "timestamp", true, "when the row was taken"),
    ],
  };
}

/** How a table is sent by COPY: which of its columns, and whether each row comes with the id of its transaction. */
export interface CopyShape {
  readonly table: TableDescription;
  readonly withTransaction: boolean;
}

/** Columns of the CSV that COPY sends, in order: the table's, and xmin. */
export function csvColumns({ table, withTransaction }: CopyShape): string {
  const types: [string, string][] = table.columns.map((column) => [column.name, column.csvType]);
  if (withTransaction) types.push([META.transaction, "BIGINT"]);
  return `{${types.map(([name, type]) => `${literal(name)}: ${literal(type)}`).join(", ")}}`;
}

/** The select list that COPY runs at the source. */
export function sourceColumns({ table, withTransaction }: CopyShape): string {
  const names = table.columns.map((column) => identifier(column.name));
  if (withTransaction) names.push("xmin");
  return names.join(", ");
}

export const sourceName = (table: TableDescription) =>
  `${identifier(table.schema)}.${identifier(table.name)}`;
