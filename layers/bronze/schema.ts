/** The columns of a bronze table: what the source has, and beside it what happened to the row and when. */

import { field, type StructType } from "../../lakehouse/delta/schema.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { META, META_FIELDS } from "../definition/bronze-columns.ts";
import type { CsvField, ReadMode } from "./csv.ts";
import type { TableDescription } from "./postgres/catalog.ts";

export function bronzeSchema(table: TableDescription): StructType {
  return {
    type: "struct",
    fields: [...table.columns.map((column) => field(column.name, column.deltaType)), ...META_FIELDS],
  };
}

/** How a table is sent by COPY: which of its columns, and whether each row comes with the id of its transaction. */
export interface CopyShape {
  readonly table: TableDescription;
  readonly withTransaction: boolean;
}

/** A field without meaning, before those of the table. */
const FIRST: CsvField = { name: "_ingot_first", type: "TINYINT" };

/** Whether a row could begin with any text: one that begins with a byte order mark would lose it as a file's start. */
const beginsWithText = (table: TableDescription) => table.columns[0]?.deltaType === "string";

/** Fields of the CSV that COPY sends, in order: the table's, and xmin. */
export function copyFields({ table, withTransaction }: CopyShape, mode: ReadMode = "fast"): CsvField[] {
  const fields = table.columns.map(({ name, csvType }) => ({
    name,
    type: mode === "fast" ? csvType : "VARCHAR",
  }));
  if (withTransaction) fields.push({ name: META.transaction, type: "BIGINT" });
  return beginsWithText(table) ? [FIRST, ...fields] : fields;
}

/** The select list that COPY runs at the source. */
export function sourceColumns({ table, withTransaction }: CopyShape): string {
  const names = table.columns.map((column) => identifier(column.name));
  if (withTransaction) names.push("xmin");
  return (beginsWithText(table) ? ["1", ...names] : names).join(", ");
}

export const sourceName = (table: TableDescription) =>
  `${identifier(table.schema)}.${identifier(table.name)}`;
