/** Members of structs in the names of files and of the table (PROTOCOL.md, "Column Mapping"). */
import { identifier, literal } from "../../duckdb/quote.ts";
import { physicalName } from "../mapping.ts";
import type { DataType } from "../schema.ts";

/** The type with its members named as in the files of a mapped table. */
export function physicalType(type: DataType): DataType {
  if (typeof type === "string") return type;
  switch (type.type) {
    case "array":
      return { ...type, elementType: physicalType(type.elementType) };
    case "map":
      return { ...type, keyType: physicalType(type.keyType), valueType: physicalType(type.valueType) };
    case "struct":
      return {
        ...type,
        fields: type.fields.map((f) => ({ ...f, name: physicalName(f), type: physicalType(f.type) })),
      };
  }
}

/** SQL that gives a value, read as `physicalType(type)`, the table's names of members; nothing else is touched. */
export function toLogicalSql(value: string, type: DataType, depth = 0): string {
  if (typeof type === "string" || !isRenamed(type)) return value;
  const item = `_item_${depth}`;
  const inner = (part: string, partType: DataType) => toLogicalSql(part, partType, depth + 1);
  switch (type.type) {
    case "array":
      return `list_transform(${value}, lambda ${item} : ${inner(item, type.elementType)})`;
    case "map": {
      const entry = `struct_pack(k := ${inner(`${item}.key`, type.keyType)}, v := ${inner(`${item}.value`, type.valueType)})`;
      return `map_from_entries(list_transform(map_entries(${value}), lambda ${item} : ${entry}))`;
    }
    case "struct": {
      const members = type.fields.map((f) => {
        const member = `struct_extract(${value}, ${literal(physicalName(f))})`;
        return `${identifier(f.name)} := ${inner(member, f.type)}`;
      });
      return `CASE WHEN ${value} IS NULL THEN NULL ELSE struct_pack(${members.join(", ")}) END`;
    }
  }
}

/** Whether a member at any depth has another name in files. */
function isRenamed(type: DataType): boolean {
  if (typeof type === "string") return false;
  switch (type.type) {
    case "array":
      return isRenamed(type.elementType);
    case "map":
      return isRenamed(type.keyType) || isRenamed(type.valueType);
    case "struct":
      return type.fields.some((f) => physicalName(f) !== f.name || isRenamed(f.type));
  }
}
