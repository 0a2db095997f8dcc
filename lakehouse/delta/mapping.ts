/** Column mapping (PROTOCOL.md, "Column Mapping"): names and ids in files that differ from those of the table. */
import { randomUUID } from "node:crypto";
import { identifier, literal } from "../duckdb/quote.ts";
import type { DataType, StructField, StructType } from "./schema.ts";

const PHYSICAL_NAME = "delta.columnMapping.physicalName";
const FIELD_ID = "delta.columnMapping.id";
/** Table property: the highest id ever given, so that no id is given twice. */
export const MAX_COLUMN_ID = "delta.columnMapping.maxColumnId";

/** The field's name in data files, statistics and partition values of a mapped table. */
export function physicalName(f: StructField): string {
  const name = f.metadata[PHYSICAL_NAME];
  return typeof name === "string" ? name : f.name;
}

/** The field's id in Parquet files. */
export function fieldId(f: StructField): number | undefined {
  const id = f.metadata[FIELD_ID];
  return typeof id === "number" ? id : undefined;
}

/**
 * Gives ids and physical names to fields that have none, nested ones too. `keepNames`: the physical name is the
 * present one, as for a table whose files exist already.
 */
export function assignIds(
  schema: StructType,
  after: number,
  keepNames: boolean,
): { readonly schema: StructType; readonly maxColumnId: number } {
  let last = after;
  const struct = (s: StructType): StructType => ({ ...s, fields: s.fields.map(assign) });
  const assign = (f: StructField): StructField => {
    const id = fieldId(f) ?? ++last;
    const name =
      typeof f.metadata[PHYSICAL_NAME] === "string"
        ? f.metadata[PHYSICAL_NAME]
        : keepNames
          ? f.name
          : `col-${randomUUID()}`;
    return { ...f, type: nested(f.type), metadata: { ...f.metadata, [FIELD_ID]: id, [PHYSICAL_NAME]: name } };
  };
  const nested = (type: DataType): DataType => {
    if (typeof type === "string") return type;
    if (type.type === "struct") return struct(type);
    if (type.type === "array") return { ...type, elementType: nested(type.elementType) };
    return { ...type, keyType: nested(type.keyType), valueType: nested(type.valueType) };
  };
  const assigned = struct(schema);
  return { schema: assigned, maxColumnId: last };
}

/** The highest id ever given, as the table states it, or else the highest in use. */
export function lastId(configuration: Readonly<Record<string, string>>, schema: StructType): number {
  const stated = Number(configuration[MAX_COLUMN_ID]);
  return Math.max(Number.isInteger(stated) ? stated : 0, highestId(schema));
}

function highestId(type: DataType): number {
  if (typeof type === "string") return 0;
  if (type.type === "array") return highestId(type.elementType);
  if (type.type === "map") return Math.max(highestId(type.keyType), highestId(type.valueType));
  return type.fields.reduce((highest, f) => Math.max(highest, fieldId(f) ?? 0, highestId(f.type)), 0);
}

/**
 * SQL that turns a value with the table's names of struct members into one with the names in files. Values without
 * structs are left as they are.
 */
export function toPhysicalSql(expression: string, type: DataType): string {
  if (typeof type === "string" || !hasStruct(type)) return expression;
  if (type.type === "array")
    return `list_transform(${expression}, lambda _e : ${toPhysicalSql("_e", type.elementType)})`;
  if (type.type === "map") {
    const key = toPhysicalSql("_m.key", type.keyType);
    const value = toPhysicalSql("_m.value", type.valueType);
    return `map_from_entries(list_transform(map_entries(${expression}), lambda _m : struct_pack(k := ${key}, v := ${value})))`;
  }
  const members = type.fields.map(
    (f) =>
      `${identifier(physicalName(f))} := ${toPhysicalSql(`struct_extract(${expression}, ${literal(f.name)})`, f.type)}`,
  );
  return `CASE WHEN ${expression} IS NULL THEN NULL ELSE struct_pack(${members.join(", ")}) END`;
}

function hasStruct(type: DataType): boolean {
  if (typeof type === "string") return false;
  if (type.type === "struct") return true;
  return type.type === "array"
    ? hasStruct(type.elementType)
    : hasStruct(type.keyType) || hasStruct(type.valueType);
}

/** The `FIELD_IDS` option of COPY for these fields, by their physical names; fields without id are left out. */
export function fieldIdsSql(fields: readonly StructField[]): string {
  return `{${memberIds(fields).join(", ")}}`;
}

function memberIds(fields: readonly StructField[]): string[] {
  return fields.flatMap((f) => entrySql(literal(physicalName(f)), fieldId(f), f.type));
}

function entrySql(key: string, id: number | undefined, type: DataType): string[] {
  if (typeof type === "string") return id === undefined ? [] : [`${key}: ${id}`];
  const own = id === undefined ? [] : [`__duckdb_field_id: ${id}`];
  const parts = [...own, ...innerIds(type)];
  return parts.length === 0 ? [] : [`${key}: {${parts.join(", ")}}`];
}

function innerIds(type: Exclude<DataType, string>): string[] {
  if (type.type === "struct") return memberIds(type.fields);
  if (type.type === "array") return entrySql("element", undefined, type.elementType);
  return [...entrySql("key", undefined, type.keyType), ...entrySql("value", undefined, type.valueType)];
}
