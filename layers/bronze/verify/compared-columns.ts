/** Which columns of a source table and of its bronze table can be compared. */
import { duckdbType, type StructField } from "../../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import { META_COLUMNS, sourceKey } from "../../definition/bronze-columns.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import type { ComparedColumn } from "./canonical.ts";

/** A column that only one side has, or that has another type there; its values are not compared. */
export interface DriftedColumn {
  readonly column: string;
  /** Type that bronze would give it; undefined where the source has no such column. */
  readonly source: string | undefined;
  readonly lake: string | undefined;
}

export interface ColumnComparison {
  readonly columns: readonly ComparedColumn[];
  readonly drifted: readonly DriftedColumn[];
  /** All columns of bronze that are the source's. */
  readonly fields: readonly StructField[];
}

/** Pairs the columns by name. A key that cannot be compared is an error: nothing would tell the rows apart. */
export function pairColumns(table: TableDescription, base: Snapshot): ColumnComparison {
  const fields = base.schema.fields.filter(({ name }) => !META_COLUMNS.includes(name));
  const source = new Map(table.columns.map(({ name, deltaType }) => [name, duckdbType(deltaType)]));
  const lake = new Map(fields.map(({ name, type }) => [name, duckdbType(type)]));
  const isSame = (name: string) => source.get(name) === lake.get(name);
  const drifted = [...new Set([...source.keys(), ...lake.keys()])]
    .filter((name) => !isSame(name))
    .map((column) => ({ column, source: source.get(column), lake: lake.get(column) }));
  const key = drifted.find(({ column }) => table.key.includes(column));
  const recorded = sourceKey(base) ?? table.key;
  if (key !== undefined || [...recorded].sort().join() !== [...table.key].sort().join()) {
    throw new TerminalError(`the key of ${table.schema}.${table.name} is not what it was`, {
      code: "VERIFY_KEY_CHANGED",
      value:
        key === undefined
          ? `${table.key.join(", ") || "none"} at the source, ${recorded.join(", ") || "none"} in the lake`
          : `${key.column}: ${key.source ?? "absent"} at the source, ${key.lake ?? "absent"} in the lake`,
      next: `Load the table anew: move bronze.${table.bronze} out of the lake and run \`ingot load\`.`,
    });
  }
  return { columns: fields.filter(({ name }) => isSame(name)), drifted, fields };
}
