/** What data skipping must know of a table. */
import type { DataType, StructType } from "../schema.ts";
import type { ColumnPath } from "./predicate.ts";

export interface TableInfo {
  readonly schema: StructType;
  /** Logical names. */
  readonly partitionColumns: readonly string[];
  /** The names of a column in statistics and partition values: they differ where columns are mapped. */
  readonly physicalPath: (column: ColumnPath) => readonly string[];
}

/** Physical names of a table without column mapping. */
export function samePath(column: ColumnPath): readonly string[] {
  return column;
}

/** A column's type, and whether it was another when older files were written. */
export interface ResolvedColumn {
  /** Logical names, in the schema's spelling. */
  readonly path: ColumnPath;
  readonly type: DataType;
  readonly wasWidened: boolean;
}

/** The column of exactly this path; undefined where the schema has none. */
export function columnAt(schema: StructType, path: ColumnPath): ResolvedColumn | undefined {
  return resolve(schema, path, (field, name) => field === name);
}

/**
 * The column that these names mean in SQL: as DuckDB compares names, without regard to the case of ASCII letters.
 * Undefined where there is none, or more than one.
 */
export function findColumn(schema: StructType, names: readonly string[]): ResolvedColumn | undefined {
  return resolve(schema, names, (field, name) => folded(field) === folded(name));
}

function resolve(
  schema: StructType,
  names: readonly string[],
  same: (field: string, name: string) => boolean,
): ResolvedColumn | undefined {
  const [name, ...rest] = names;
  if (name === undefined) return undefined;
  const matches = schema.fields.filter((f) => same(f.name, name));
  const [field] = matches;
  if (field === undefined || matches.length > 1) return undefined;
  if (rest.length === 0) {
    return { path: [field.name], type: field.type, wasWidened: "delta.typeChanges" in field.metadata };
  }
  if (typeof field.type === "string" || field.type.type !== "struct") return undefined;
  const inner = resolve(field.type, rest, same);
  return inner && { ...inner, path: [field.name, ...inner.path] };
}

function folded(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
