/** `read_parquet` over files of a table: which columns, by what names or ids, as which types. */
import { literal } from "../../duckdb/quote.ts";
import { idInFiles, type Layout, nameInFiles } from "../layout.ts";
import { type DataType, duckdbType, type StructField } from "../schema.ts";
import { withoutPatterns } from "./file-address.ts";
import { physicalType } from "./struct-names.ts";

/** What `readFilesSql` calls the data column of this index: no name in files can clash with DuckDB's virtual ones. */
export function columnName(index: number): string {
  return `c${index}`;
}

/**
 * SQL of a relation over exactly these files, in this order. Columns that a file lacks are NULL, others are cast to
 * the type that they have now. Beside `columnName(i)` for each field it has DuckDB's virtual columns `file_index`
 * (UBIGINT, the place among `addresses`) and `file_row_number` (BIGINT).
 *
 * `rows` is about how many there are: told which columns to give, DuckDB opens no file when it plans, takes the relation
 * for an empty one and would build hash tables of it.
 *
 * With column mapping by id, columns are found by their id; members of structs always by their physical name, which
 * writers use in both modes.
 */
export function readFilesSql(
  addresses: readonly string[],
  fields: readonly StructField[],
  mapping: Layout["mapping"],
  rows: number,
): string {
  const layout = { mapping };
  // Files of the change feed have columns that no id was given for.
  const byId = mapping === "id" && fields.every((f) => idInFiles(layout, f) !== undefined);
  const columns = fields.map((f, i) => {
    const key = byId ? String(idInFiles(layout, f)) : literal(nameInFiles(layout, f));
    const type = duckdbType(mapping === "none" ? f.type : physicalType(f.type));
    return entrySql(key, columnName(i), type);
  });
  // A relation must have a column.
  if (columns.length === 0) columns.push(entrySql("'_ingot_no_columns'", columnName(0), "BOOLEAN"));
  const options = [
    "hive_partitioning = false",
    `schema = MAP {${columns.join(", ")}}`,
    `explicit_cardinality = ${Math.max(1, Math.round(rows))}`,
  ];
  // Some writers do not mark text as such; where binary columns are, unmarked columns may be those.
  if (fields.some((f) => holds(f.type, isText)) && !fields.some((f) => holds(f.type, isBinary))) {
    options.push("binary_as_string = true");
  }
  const files = addresses.map((address) => literal(withoutPatterns(address)));
  return `read_parquet([${files.join(", ")}], ${options.join(", ")})`;
}

function entrySql(key: string, name: string, type: string): string {
  return `${key}: {name: '${name}', type: ${literal(type)}, default_value: NULL}`;
}

const isBinary = (type: string) => type === "binary" || type === "variant";
const isText = (type: string) => duckdbType(type) === "VARCHAR";

/** Whether a primitive type at any depth is one of these. */
function holds(type: DataType, wanted: (primitive: string) => boolean): boolean {
  if (typeof type === "string") return wanted(type);
  switch (type.type) {
    case "array":
      return holds(type.elementType, wanted);
    case "map":
      return holds(type.keyType, wanted) || holds(type.valueType, wanted);
    case "struct":
      return type.fields.some((f) => holds(f.type, wanted));
  }
}
