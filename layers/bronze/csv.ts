/** The CSV that COPY writes, as DuckDB reads it. */
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import { type CopyShape, csvColumns } from "./schema.ts";

/** The longest row, in bytes. DuckDB keeps a few buffers of this size for each table that is being read. */
const LONGEST_ROW = 8 * 1024 * 1024;

/** The rows of a CSV that COPY wrote. NULL is an empty field, an empty text a quoted one. */
export function csvSql(shape: CopyShape, fifo: string, parallel = false): string {
  return `read_csv(${literal(fifo)}, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false, null_padding = false, parallel = ${parallel}, max_line_size = ${LONGEST_ROW}, buffer_size = ${LONGEST_ROW}, columns = ${csvColumns(shape)})`;
}

/**
 * Runs a read of such a CSV. DuckDB's complaint quotes the row, which may hold anything; what is passed on names
 * table, column and type only, as `COPY_VALUE`.
 */
export async function readingCsv<T>(table: TableDescription, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TerminalError) || error.code !== "DUCKDB_SQL" || !/CSV/.test(error.message))
      throw error;
    const column = /when converting column "((?:[^"]|"")+)"/.exec(error.message)?.[1];
    const type = table.columns.find((c) => c.name === column)?.deltaType;
    const tooLong = /maximum line size/i.test(error.message);
    throw new TerminalError(`${table.schema}.${table.name} holds a row that cannot be read`, {
      code: "COPY_VALUE",
      value:
        column === undefined ? "the row as a whole" : `a value of column ${column}, read as ${String(type)}`,
      allowed: tooLong
        ? `rows of at most ${LONGEST_ROW} bytes`
        : "values that the column's type has in Delta (no NaN, no years before Christ)",
      next: "Nothing was committed. Correct the row at the source, or leave the table out for now.",
    });
  }
}
