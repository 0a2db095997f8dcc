/** What a source table must have to be ingested, and what is said where it has not. */
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { SourceTable } from "../../definition/pipeline.ts";

/** A column as the checks look at it. */
export interface CheckedColumn {
  readonly name: string;
  /** Name of its type in `pg_type`, domains resolved. */
  readonly type: string;
}

/** Refuses tables whose columns cannot be those of a bronze table. */
export function checkNames(qualified: string, columns: readonly CheckedColumn[]): void {
  if (columns.length === 0) {
    throw new TerminalError(`${qualified} has no columns`, {
      code: "POSTGRES_NO_COLUMNS",
      value: qualified,
      allowed: "tables with at least one column",
      next: "Leave it out of the pipeline's `source`.",
    });
  }
  const reserved = columns.find(({ name }) => name.toLowerCase().startsWith("_ingot_"));
  if (reserved) {
    throw new TerminalError(`${qualified} has a column whose name Ingot keeps for itself`, {
      code: "POSTGRES_RESERVED_COLUMN",
      value: reserved.name,
      allowed: "names that do not begin with _ingot_",
    });
  }
  const seen = new Set<string>();
  for (const { name } of columns) {
    if (seen.has(name.toLowerCase())) {
      throw new TerminalError(`${qualified} has two columns whose names differ only in case`, {
        code: "POSTGRES_AMBIGUOUS_COLUMN",
        value: name,
        allowed: "names that differ in more than case, as Delta asks",
        next: "Rename one of them at the source.",
      });
    }
    seen.add(name.toLowerCase());
  }
}

/** The columns that identify a row: those that the pipeline names, or else the primary key. */
export function keyOf(
  qualified: string,
  bronze: string,
  wanted: SourceTable,
  primary: readonly string[],
  columns: readonly CheckedColumn[],
): readonly string[] {
  if (wanted.key === "none") return [];
  const key = wanted.key ?? primary;
  if (key.length === 0) {
    throw new TerminalError(`${qualified} has no primary key`, {
      code: "POSTGRES_NO_KEY",
      value: qualified,
      allowed: 'a primary key, `key: ["column"]`, or `key: "none"`',
      next: `Say which in the pipeline: tables: { ${JSON.stringify(bronze)}: { key: … } }.`,
    });
  }
  for (const name of key) requireColumn(qualified, "key", name, columns);
  return key;
}

/** The cursor, where the pipeline names one that can be used. */
export function cursorOf(
  qualified: string,
  wanted: SourceTable,
  columns: readonly CheckedColumn[],
): string | undefined {
  if (wanted.cursor === undefined) return undefined;
  const column = requireColumn(qualified, "cursor", wanted.cursor, columns);
  // A timestamp without time zone is not a moment: a sync would look at the wrong hours and miss rows.
  if (!["timestamptz", "int2", "int4", "int8"].includes(column.type)) {
    throw new TerminalError(`the cursor of ${qualified} is neither a moment in time nor an id`, {
      code: "POSTGRES_CURSOR_TYPE",
      value: `${column.name} ${column.type}`,
      allowed:
        "a timestamptz column that every change moves forward, or an increasing integer of a table that is only appended to",
      next: "Leave the cursor out: a sync then reads the table and keeps what is new.",
    });
  }
  return column.name;
}

function requireColumn(
  qualified: string,
  role: string,
  name: string,
  columns: readonly CheckedColumn[],
): CheckedColumn {
  const column = columns.find((c) => c.name === name);
  if (column) return column;
  throw new TerminalError(`${qualified} has no column ${identifier(name)} for its ${role}`, {
    code: "POSTGRES_NO_COLUMN",
    value: name,
    allowed: columns.map((c) => c.name).join(", "),
  });
}
