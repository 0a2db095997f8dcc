/** The CSV that COPY writes, as DuckDB reads it. */
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { codeOf, TerminalError } from "../../lakehouse/errors.ts";
import { META } from "../definition/bronze-columns.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import { NO_PLACE } from "./postgres/types/place.ts";
import type { ColumnMapping } from "./postgres/types.ts";

/** The longest row of an ordinary read, in bytes. DuckDB keeps a few buffers of this size for each file it reads. */
export const LONGEST_ROW = 8 * 1024 * 1024;
/** Postgres makes no row of COPY longer than this. */
const LONGEST_OF_ALL = 1024 * 1024 * 1024;
/** Columns from which on lack of memory is their doing: each takes a buffer at every step of its way. */
const WIDE = 200;
/** Memory for each byte of the longest row: its buffer, its value, and what the writer of the file makes of it. */
const MEMORY_OF_ROW = 6;

/**
 * `fast`: DuckDB's reader makes the values, and the read fails where one has no place. `careful`: every field is read
 * as text, values without place become NULL and are set aside; for the few tables that hold such values.
 */
export type ReadMode = "fast" | "careful";

/** A field of a CSV and its DuckDB type. */
export interface CsvField {
  readonly name: string;
  readonly type: string;
}

export interface CsvOptions {
  readonly longestRow?: LongestRow;
}

/** Bytes of the longest row; `memory`: as long as DuckDB's memory lets it be, at most what Postgres can send. */
export type LongestRow = number | "memory";

/** The rows of a CSV that COPY wrote. NULL is an empty field, an empty text a quoted one. */
export function csvSql(fields: readonly CsvField[], file: string, options: CsvOptions = {}): string {
  const { longestRow = LONGEST_ROW } = options;
  const columns = fields.map(({ name, type }) => `${literal(name)}: ${literal(type)}`).join(", ");
  const longest =
    longestRow === "memory"
      ? `greatest(${LONGEST_ROW}, least(${LONGEST_OF_ALL}, parse_formatted_bytes(current_setting('memory_limit')) // ${MEMORY_OF_ROW}))::BIGINT`
      : longestRow;
  return `read_csv(${literal(file)}, auto_detect = false, header = false, delim = ',', quote = '"', escape = '"', new_line = '\\n', nullstr = '', allow_quoted_nulls = false, null_padding = false, parallel = false, max_line_size = ${longest}, buffer_size = ${longest}, columns = {${columns}})`;
}

/** Select list over the fields of the columns: their values under their names, and what is rescued of them. */
export function valuesSql(columns: readonly ColumnMapping[], mode: ReadMode): string {
  const values = columns.map((column) => `${column[mode]} AS ${identifier(column.name)}`);
  return [...values, `${mode === "fast" ? "NULL::VARCHAR" : rescuedSql(columns)} AS ${META.rescued}`].join(
    ", ",
  );
}

/** JSON of the texts of all values that have no place; NULL where all have one. */
function rescuedSql(columns: readonly ColumnMapping[]): string {
  const members = columns.flatMap((column) => {
    const condition = misplacedSql(column);
    if (condition === undefined) return [];
    const key = literal(`${JSON.stringify(column.name)}:`);
    return `CASE WHEN ${condition} THEN ${key} || to_json(${identifier(column.name)})::VARCHAR END`;
  });
  return members.length === 0
    ? "NULL::VARCHAR"
    : `'{' || nullif(concat_ws(',', ${members.join(", ")}), '') || '}'`;
}

/** SQL that tells where a column's text has no place; undefined where all texts have one. */
function misplacedSql({ name, careful, misplaced }: ColumnMapping): string | undefined {
  const text = identifier(name);
  if (careful === text) return undefined;
  if (misplaced?.careful === careful) return misplaced.sql === "false" ? undefined : misplaced.sql;
  return `${text} IS NOT NULL AND (${careful}) IS NULL`;
}

/**
 * Whether a read failed for what it read: a value without place in its column, text that is none, or a row that is too
 * long. The same rows can then be read in `careful` mode.
 */
export function isMisread(error: unknown): boolean {
  if (codeOf(error) === "COPY_VALUE") return true;
  if (!(error instanceof TerminalError) || error.code !== "DUCKDB_SQL") return false;
  return (
    /^Conversion Error|CSV Error|when converting column|[Ii]nvalid (UTF|unicode|string encoding)/.test(
      error.message,
    ) || error.message.includes(NO_PLACE)
  );
}

/**
 * Runs a read of such a CSV. DuckDB's complaint quotes the row, which may hold anything; what is passed on names
 * table, column and type only, as `COPY_VALUE`, or `COPY_ROW_TOO_LONG` where memory bounds the longest row.
 */
export async function readingCsv<T>(
  table: TableDescription,
  work: () => Promise<T>,
  { longestRow }: CsvOptions = {},
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof TerminalError)) throw error;
    const outOfMemory = error.code === "DUCKDB_OUT_OF_MEMORY";
    if (longestRow === "memory" && (outOfMemory || /maximum line size/i.test(error.message)))
      throw rowTooLong(table);
    if (outOfMemory && table.columns.length >= WIDE) throw tooWide(table, error);
    throw isMisread(error) ? misread(table, error.message) : withoutStatement(table, error);
  }
}

/** An error of DuckDB's without its statement, which may hold texts of rows. */
function withoutStatement({ schema, name }: TableDescription, error: TerminalError): TerminalError {
  const { code, allowed, next } = error;
  return new TerminalError(error.message.split(/\n+LINE \d+:/)[0] ?? "", {
    code,
    value: `${schema}.${name}`,
    ...(allowed === undefined ? {} : { allowed }),
    ...(next === undefined ? {} : { next }),
  });
}

function misread(table: TableDescription, message: string): TerminalError {
  const name = columnOf(message);
  const column = table.columns.find((c) => c.name === name);
  return new TerminalError(`${table.schema}.${table.name} holds a row that cannot be read`, {
    code: "COPY_VALUE",
    value:
      column === undefined ? "the row as a whole" : `a value of column ${column.name}, ${column.sourceType}`,
    allowed: "what Postgres prints for the column's type, in UTF-8",
    next: "Nothing was committed. Correct the row at the source, or leave the table out for now.",
  });
}

function rowTooLong(table: TableDescription): TerminalError {
  return new TerminalError(`${table.schema}.${table.name} holds a row that is too long for the memory`, {
    code: "COPY_ROW_TOO_LONG",
    value: `${table.schema}.${table.name}`,
    allowed: `rows of a sixth of the memory that DuckDB may use, at most ${LONGEST_OF_ALL} bytes`,
    next: `Set INGOT_MEMORY_MB to ${MEMORY_OF_ROW + 1} times the longest row's megabytes; bytes count double, as hexadecimal digits.`,
  });
}

function tooWide(table: TableDescription, cause: TerminalError): TerminalError {
  const columns = table.columns.length;
  return new TerminalError(`${table.schema}.${table.name} has more columns than the memory has room for`, {
    code: "DUCKDB_OUT_OF_MEMORY",
    value: `${columns} columns`,
    allowed: "about one column for each megabyte that DuckDB may use",
    next: `Set INGOT_MEMORY_MB to ${Math.ceil(columns / 256) * 256} or more.`,
    cause,
  });
}

/** The column that an error of DuckDB, or one of ours in it, speaks of. */
function columnOf(message: string): string | undefined {
  const ours = message.indexOf(NO_PLACE);
  if (ours >= 0) return message.slice(ours + NO_PLACE.length).split("\n")[0];
  return /when converting column "((?:[^"]|"")+)"/.exec(message)?.[1];
}
