/** What a condition names, and whether it gives the same result for the same row whenever it is asked. */
import type { DuckDb } from "../../duckdb/duckdb.ts";
import type { StructType } from "../schema.ts";
import type { ColumnPath } from "./predicate.ts";
import { asNode, type SqlNode } from "./sql-tree.ts";
import { findColumn } from "./table-info.ts";

export interface SqlNames {
  /** Columns of the table and fields of its structs, in order of appearance. */
  readonly columns: readonly ColumnPath[];
  /** Names that are no column: misspelt, of an outer query, or of a value such as current_date. */
  readonly unresolved: readonly string[];
  /** Whether a result follows from the row alone: no clock, no chance, nothing that DuckDB does not vouch for. */
  readonly isDeterministic: boolean;
  /** Whether the condition looks at one row of this table only: no sub-query, aggregate or window. */
  readonly isRowwise: boolean;
}

interface Found {
  readonly references: (readonly string[])[];
  readonly functions: Set<string>;
  readonly classes: Set<string>;
}

/** Everything that the tree of a condition names, sub-queries included. */
export async function findNames(duckdb: DuckDb, tree: SqlNode, schema: StructType): Promise<SqlNames> {
  const found: Found = { references: [], functions: new Set(), classes: new Set() };
  collect(tree, found);
  const columns = new Map<string, ColumnPath>();
  const unresolved = new Set<string>();
  for (const names of found.references) {
    const path = longestColumn(schema, names);
    if (path) columns.set(JSON.stringify(path), path);
    else unresolved.add(names.join("."));
  }
  if (found.classes.has("STAR")) {
    for (const { name } of schema.fields) columns.set(JSON.stringify([name]), [name]);
  }
  const functions = await classifyFunctions(duckdb, [...found.functions]);
  const hasSubquery = found.classes.has("SUBQUERY");
  return {
    columns: [...columns.values()],
    unresolved: [...unresolved],
    isDeterministic: functions.deterministic && unresolved.size === 0 && !hasSubquery,
    isRowwise: !functions.aggregate && !found.classes.has("WINDOW") && !hasSubquery,
  };
}

/** A reference may go on into what is no struct of the schema; the column itself is named all the same. */
function longestColumn(schema: StructType, names: readonly string[]): ColumnPath | undefined {
  for (let length = names.length; length > 0; length--) {
    const column = findColumn(schema, names.slice(0, length));
    if (column) return column.path;
  }
  return undefined;
}

function collect(value: unknown, found: Found): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, found);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const node = asNode(value);
  if (node !== undefined) {
    found.classes.add(node.class);
    if (node.class === "COLUMN_REF" && Array.isArray(node.column_names)) {
      found.references.push(node.column_names.map(String));
    }
    if (node.class === "FUNCTION") found.functions.add(String(node.function_name).toLowerCase());
  }
  for (const child of Object.values(value)) collect(child, found);
}

/** What DuckDB's catalog says of a function. */
interface FunctionClass {
  readonly consistent: boolean;
  readonly aggregate: boolean;
}

/** By engine: going through its catalog takes ten milliseconds and more. Built-in functions stay as they are. */
const classified = new WeakMap<DuckDb, Map<string, FunctionClass>>();

/** What DuckDB's catalog says of functions; of a macro it says nothing, so that none is vouched for. */
async function classifyFunctions(duckdb: DuckDb, names: readonly string[]) {
  const builtIn = classified.get(duckdb) ?? new Map<string, FunctionClass>();
  classified.set(duckdb, builtIn);
  const found = new Map(builtIn);
  const missing = names.filter((name) => !found.has(name));
  const rows =
    missing.length === 0
      ? []
      : await duckdb.rows(
          `SELECT function_name AS name, bool_and(stability IS NOT DISTINCT FROM 'CONSISTENT') AS consistent,
             bool_or(function_type = 'aggregate') AS aggregate, bool_and(internal AND function_type <> 'macro') AS stays
           FROM duckdb_functions()
           WHERE function_name IN (SELECT unnest(from_json($1::JSON, '["VARCHAR"]'))) GROUP BY ALL`,
          [JSON.stringify(missing)],
        );
  for (const { name, consistent, aggregate, stays } of rows) {
    const known = { consistent: consistent === true, aggregate: aggregate === true };
    found.set(String(name), known);
    if (stays === true) builtIn.set(String(name), known);
  }
  return {
    deterministic: names.every((name) => found.get(name)?.consistent === true),
    aggregate: names.some((name) => found.get(name)?.aggregate === true),
  };
}
