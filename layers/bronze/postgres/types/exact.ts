/**
 * From the text that Postgres prints to values of Delta, exactly or not at all: SQL that gives NULL where a value has
 * no place in the column.
 */
import { type DataType, duckdbType } from "../../../../lakehouse/delta/schema.ts";
import { arraySql } from "./array-text.ts";

const INTEGERS = ["int2", "int4", "int8", "oid"];
const NUMBERS = [...INTEGERS, "numeric"];
/** Integers that a double holds exactly, all of them. */
const IN_DOUBLE = ["int2", "int4", "oid"];
const NOTHING = "NULL";

/**
 * SQL of the value in `target` of a Postgres value's text. `from`: name of its type in `pg_type`, for arrays that of
 * the elements with `[]`. The target need not be the type that the source's values usually get: a column of bronze
 * stays as it is when its source becomes another type. `otherwise`: for arrays, SQL that takes the place of NULL.
 */
export function exactSql(text: string, target: DataType, from: string, otherwise = NOTHING): string {
  if (typeof target !== "string") {
    if (target.type !== "array" || !from.endsWith("[]")) return NOTHING;
    return arraySql(text, (element) => exactSql(element, target.elementType, from.slice(0, -2)), otherwise);
  }
  const cast = `TRY_CAST(${text} AS ${duckdbType(target)})`;
  switch (target) {
    case "string":
      return text;
    case "boolean":
      return from === "bool" ? cast : NOTHING;
    case "short":
    case "integer":
    case "long":
      if (INTEGERS.includes(from)) return cast;
      return from === "numeric" ? `CASE WHEN ${matches(text, "-?[0-9]+")} THEN ${cast} END` : NOTHING;
    case "float":
    case "double":
      return floatSql(text, target, from);
    case "date":
      // DuckDB takes 0044-03-15 BC for a day after Christ; days of the years 1 to 9999 have ten characters.
      return from === "date" ? `CASE WHEN strlen(${text}) = 10 THEN ${cast} END` : NOTHING;
    case "timestamp":
      // Behind a year of four digits the eleventh character is the space before the time.
      return from === "timestamp" || from === "timestamptz"
        ? `CASE WHEN ${text}[11] = ' ' THEN ${cast} END`
        : NOTHING;
    case "binary":
      return from === "bytea" ? `unhex(substr(${text}, 3))` : NOTHING;
    default:
      return decimalSql(text, target, from);
  }
}

/** The shortest text of a float4 is exact as a FLOAT only. NaN equals NaN in DuckDB. */
function floatSql(text: string, target: "float" | "double", from: string): string {
  const [float, double] = [`TRY_CAST(${text} AS FLOAT)`, `TRY_CAST(${text} AS DOUBLE)`];
  if (from === "float4") return target === "float" ? float : `${float}::DOUBLE`;
  if (target === "float") {
    return from === "float8" || IN_DOUBLE.includes(from)
      ? `CASE WHEN ${float}::DOUBLE = ${double} THEN ${float} END`
      : NOTHING;
  }
  if (from === "float8" || IN_DOUBLE.includes(from)) return double;
  return from === "int8" ? `CASE WHEN ${double}::HUGEINT = ${text}::HUGEINT THEN ${double} END` : NOTHING;
}

function decimalSql(text: string, target: string, from: string): string {
  const scale = /^decimal\(\d+,\s*(\d+)\)$/.exec(target)?.[1];
  if (scale === undefined || !NUMBERS.includes(from)) return NOTHING;
  // A cast would round digits that are too many.
  const fits = matches(text, `-?[0-9]+([.][0-9]{0,${scale}}0*)?`);
  return `CASE WHEN ${fits} THEN TRY_CAST(${text} AS ${duckdbType(target)}) END`;
}

const matches = (text: string, pattern: string) => `regexp_full_match(${text}, '${pattern}')`;
