/** Keys whose values have no place in their column: two such rows would be one, so they are refused. */
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { ReadMode } from "./csv.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import type { ColumnMapping } from "./postgres/types.ts";

const MARK = "ingot: no place for a key value of column ";
/** Characters of a value that an error shows. */
const SHOWN = 60;

/** The columns, those of the key with an error where a value has no place. A fast read fails on it by itself. */
export function withKeyChecks(
  columns: readonly ColumnMapping[],
  key: readonly string[],
  mode: ReadMode,
): readonly ColumnMapping[] {
  if (mode === "fast") return columns;
  return columns.map((column) => {
    const text = identifier(column.name);
    if (!key.includes(column.name) || column.careful === text) return column;
    const refusal = `error(${literal(`${MARK}${column.name}: `)} || left(${text}, ${SHOWN}))`;
    const checked = `CASE WHEN ${text} IS NOT NULL AND (${column.careful}) IS NULL THEN ${refusal} ELSE ${column.careful} END`;
    // What has a place is never rescued.
    return { ...column, careful: checked, misplaced: { careful: checked, sql: "false" } };
  });
}

/** Runs a read of keys; `COPY_KEY_VALUE` names the value that has no place. */
export async function readingKeys<T>(table: TableDescription, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const message = error instanceof TerminalError ? error.message : "";
    const at = message.indexOf(MARK);
    if (at < 0) throw error;
    throw new TerminalError(`${table.schema}.${table.name} has a key that has no place in its column`, {
      code: "COPY_KEY_VALUE",
      value: message.slice(at + MARK.length).split("\n")[0],
      allowed: "values that the type of the key's column in the lake can hold; docs/types.md names them",
      next: "Nothing of these rows was taken. Correct the row at the source, or name another `key` in the pipeline.",
    });
  }
}
