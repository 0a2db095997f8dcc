/**
 * One text for equal values in two engines: Postgres and DuckDB each write a row as the same characters, so that
 * their hashes can be compared. Numbers, dates and times are written by their bits or digits and not as either would
 * print them; what bronze holds as text is the text that Postgres prints.
 *
 * A false match would take a collision of hashes. A false difference costs the reading of rows, which are compared by
 * the engine of the lake alone (`rowText` on both sides), and is found to be none.
 */
import type { DataType } from "../../../lakehouse/delta/schema.ts";
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import { META } from "../../definition/bronze-columns.ts";

/** A column that source and lake have alike. */
export interface ComparedColumn {
  readonly name: string;
  readonly type: DataType;
}

/** Bits of a row's hash; as an integer it is never negative. */
const HASH_DIGITS = 15;
/** Arguments that a function of Postgres may have. */
const MOST_ARGUMENTS = 90;

/** BIGINT expression of Postgres: the hash of a row with these columns. */
export function sourceHash(columns: readonly ComparedColumn[]): string {
  const texts = columns.map(({ name, type }) => sourceText(identifier(name), type));
  const text = `md5(convert_to(${concatenation(texts)}, 'UTF8'))`;
  return `('x' || substr(${text}, 1, ${HASH_DIGITS}))::bit(${HASH_DIGITS * 4})::bigint`;
}

/** BIGINT expression of DuckDB: the hash of a row of bronze with these columns. */
export function lakeHash(columns: readonly ComparedColumn[]): string {
  return `('0x' || substr(md5(${rowText(columns)}), 1, ${HASH_DIGITS}))::BIGINT`;
}

/** VARCHAR expression of DuckDB: a row of bronze, its rescued values among them; never NULL. */
export function rowText(columns: readonly ComparedColumn[]): string {
  const texts = columns.map(({ name, type }) => {
    const text = lakeText(identifier(name), type);
    // Text always has a place in its column.
    return type === "string" ? text : `coalesce(${text}, ${rescuedText(name)})`;
  });
  return `concat('', ${texts.join(", ',', ")})`;
}

/** The text of a value that has no place in its column, or NULL. */
function rescuedText(name: string): string {
  const pointer = `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
  return `json_extract_string(${META.rescued}, ${literal(pointer)})`;
}

/** `concat` leaves NULLs out: a NULL is nothing between two commas, which no value is. */
function concatenation(texts: readonly string[]): string {
  const parts: string[] = [];
  for (let at = 0; at < texts.length; at += MOST_ARGUMENTS / 2) {
    parts.push(`concat(${texts.slice(at, at + MOST_ARGUMENTS / 2).join(", ',', ")})`);
  }
  return parts.length > 0 ? parts.join(" || ',' || ") : "''";
}

const decimalScale = /^decimal\((\d+), ?(\d+)\)$/;
/** What Delta's readers agree on; others are rescued. */
const FIRST_DAY = "0001-01-01";
const LAST_DAY = "9999-12-31";

/** What Postgres makes of a value; NULL, or an empty text, of a NULL. */
function sourceText(value: string, type: DataType): string {
  if (typeof type !== "string")
    return type.type === "array" ? sourceArray(value, type.elementType) : printed(value);
  if (decimalScale.test(type)) return `${value}::text`;
  switch (type) {
    case "boolean":
    case "byte":
    case "short":
    case "integer":
    case "long":
      return `${value}::text`;
    case "float":
    case "double": {
      const send = type === "float" ? "float4send" : "float8send";
      return `CASE WHEN ${value} = 'NaN' THEN 'NaN' ELSE encode(${send}(${value}), 'hex') END`;
    }
    case "date":
      return `CASE WHEN ${value} BETWEEN '${FIRST_DAY}' AND '${LAST_DAY}' THEN (${value} - date '2000-01-01')::text ELSE concat(${value}) END`;
    case "timestamp":
    case "timestamp_ntz":
      // Sent as microseconds since 2000, whichever of the two types it is.
      return `CASE WHEN ${value} BETWEEN '${FIRST_DAY}' AND '${LAST_DAY} 23:59:59.999999' THEN encode(timestamptz_send(${value}::timestamptz), 'hex') ELSE concat(${value}) END`;
    case "binary":
      return `md5(${value})`;
    default:
      return printed(value);
  }
}

/**
 * With its length, or commas in two neighbours could be moved between them. `concat` prints as COPY does, where a cast
 * to text drops the blanks of `char(n)`. (`IS NULL` asks the members of a composite value; this does not.)
 */
function printed(value: string): string {
  return `CASE WHEN ${value} IS DISTINCT FROM NULL THEN length(concat(${value})) || ':' || concat(${value}) END`;
}

function sourceArray(value: string, element: DataType): string {
  const one = `CASE WHEN e IS NULL THEN 'N' ELSE ${sourceText("e", element)} END`;
  const list = `'[' || array_to_string(ARRAY(SELECT ${one} FROM unnest(${value}) AS u(e)), ',') || ']'`;
  const fits = `cardinality(${value}) = 0 OR (array_ndims(${value}) = 1 AND array_lower(${value}, 1) = 1)`;
  return `CASE WHEN ${fits} THEN ${list} ELSE concat(${value}) END`;
}

/** What DuckDB makes of the same value of bronze; NULL of a NULL. */
function lakeText(value: string, type: DataType): string {
  if (typeof type !== "string") {
    if (type.type !== "array") return `length(${value}::VARCHAR) || ':' || ${value}::VARCHAR`;
    const one = `coalesce(${lakeText("e", type.elementType)}, 'N')`;
    return `'[' || array_to_string(list_transform(${value}, lambda e: ${one}), ',') || ']'`;
  }
  const decimal = decimalScale.exec(type);
  if (decimal) return lakeDecimal(value, decimal[1] === decimal[2] && decimal[2] !== "0");
  switch (type) {
    case "boolean":
    case "byte":
    case "short":
    case "integer":
    case "long":
      return `${value}::VARCHAR`;
    case "float":
      return `CASE WHEN isnan(${value}) THEN 'NaN' ELSE ${hex(`${value}::BIT::UINTEGER`, 8)} END`;
    case "double":
      return `CASE WHEN isnan(${value}) THEN 'NaN' ELSE ${hex(`${value}::BIT::BIGINT`, 16)} END`;
    case "date":
      return `(${value} - DATE '2000-01-01')::VARCHAR`;
    case "timestamp":
    case "timestamp_ntz":
      return hex(`epoch_us(${value}) - 946684800000000`, 16);
    case "binary":
      return `md5(${value})`;
    default:
      return `length(${value}::VARCHAR) || ':' || ${value}::VARCHAR`;
  }
}

/** DuckDB leaves out the zero before the point where the type has no digit there. */
function lakeDecimal(value: string, onlyFraction: boolean): string {
  const text = `${value}::VARCHAR`;
  return onlyFraction
    ? `CASE WHEN ${value} < 0 THEN '-0' || substr(${text}, 2) ELSE '0' || ${text} END`
    : text;
}

function hex(integer: string, digits: number): string {
  return `lpad(lower(hex(${integer})), ${digits}, '0')`;
}
