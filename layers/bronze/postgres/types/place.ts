/** Which Delta type takes the values of a Postgres type, and how their text gets there. */
import type { DataType } from "../../../../lakehouse/delta/schema.ts";
import { literal } from "../../../../lakehouse/duckdb/quote.ts";
import { exactSql } from "./exact.ts";

/** What a DuckDB error says that a value has no place, behind which nothing of the value follows. */
export const NO_PLACE = "ingot: no place for a value of column ";

/** What is known of a base type: its name in `pg_type`, and the modifier of the column. */
export interface BaseType {
  readonly name: string;
  /** Whether it is one of Postgres' own; another type of that name may be anything. */
  readonly builtIn: boolean;
  readonly typmod: number;
  /** Of an array: what it is an array of. */
  readonly element?: BaseType | undefined;
}

/** How the values of a column get from CSV into bronze. */
export interface Place {
  readonly deltaType: DataType;
  /** Type of the CSV field in a fast read. */
  readonly csvType: string;
  /** `pg_type` name as `exactSql` takes it. */
  readonly from: string;
  /** SQL over the field of a fast read; raises an error where the value has no place. */
  readonly fast: string;
  /** SQL over the field as text; NULL where the value has no place. */
  readonly careful: string;
  /** A cheap way to tell where `careful` is NULL. */
  readonly misplaced?: Misplaced;
}

/** SQL over the field as text that tells whether there is a value and it has no place; holds for one `careful`. */
export interface Misplaced {
  readonly sql: string;
  readonly careful: string;
}

const NEVER = "false";

/** Types whose values all have a place, and which DuckDB's reader takes as they are. */
const DIRECT: Readonly<Record<string, readonly [delta: string, csv: string]>> = {
  bool: ["boolean", "BOOLEAN"],
  int2: ["short", "SMALLINT"],
  int4: ["integer", "INTEGER"],
  int8: ["long", "BIGINT"],
  oid: ["long", "BIGINT"],
  float4: ["float", "FLOAT"],
  float8: ["double", "DOUBLE"],
};
/** Types whose arrays become lists of text. */
const TEXTS = ["text", "varchar", "uuid"];

/** `quoted`: the field in SQL; `name`: the column's name, for errors. */
export function placeOf(type: BaseType | undefined, name: string, quoted: string): Place {
  const text: Place = {
    deltaType: "string",
    csvType: "VARCHAR",
    from: type?.builtIn ? type.name : "",
    fast: quoted,
    careful: quoted,
  };
  if (!type) return text;
  if (type.element) return arrayPlace(type.element, name, quoted) ?? text;
  const deltaType = type.builtIn ? scalarType(type) : undefined;
  if (deltaType === undefined) return text;
  const exact = exactSql(quoted, deltaType, type.name);
  const direct = DIRECT[type.name];
  if (direct) return { ...text, deltaType, csvType: direct[1], ...checked(exact, NEVER) };
  if (type.name === "numeric") {
    // Postgres prints as many digits as the column has: no cast of them rounds. NaN fails.
    const csvType = String(deltaType).toUpperCase();
    return {
      ...text,
      deltaType,
      csvType,
      ...checked(`TRY_CAST(${quoted} AS ${csvType})`, `${quoted} = 'NaN'`),
    };
  }
  const { misplaced, ...fast } = fastPlace(type.name, name, quoted);
  return { ...text, ...fast, deltaType, ...checked(exact, misplaced) };
}

const checked = (careful: string, sql: string) => ({ careful, misplaced: { careful, sql } });

/** The Delta type of one value; undefined where it stays text. */
function scalarType({ name, typmod }: BaseType): string | undefined {
  if (name === "numeric") return decimalOf(typmod);
  if (name === "bytea") return "binary";
  if (name === "date") return "date";
  if (name === "timestamp" || name === "timestamptz") return "timestamp";
  return DIRECT[name]?.[0];
}

/** Reads that look for values without place at little cost; `misplaced` tells them by their text. */
function fastPlace(
  type: string,
  name: string,
  quoted: string,
): Pick<Place, "csvType" | "fast"> & { readonly misplaced: string } {
  const error = `error(${literal(NO_PLACE + name)})`;
  if (type === "bytea") return { csvType: "VARCHAR", fast: `unhex(substr(${quoted}, 3))`, misplaced: NEVER };
  // DuckDB's reader takes days before Christ for days after, and makes NULL of a TIMESTAMPTZ that it cannot read.
  if (type === "date") {
    const misplaced = `strlen(${quoted}) <> 10`;
    return {
      csvType: "VARCHAR",
      fast: `CASE WHEN ${misplaced} THEN ${error} ELSE ${quoted}::DATE END`,
      misplaced,
    };
  }
  const noYear = `${quoted}[11] <> ' '`;
  const misplaced = `(${noYear} OR contains(${quoted}, 'BC'))`;
  if (type === "timestamptz") {
    const fast = `CASE WHEN ${noYear} THEN ${error} ELSE ${quoted}::TIMESTAMP WITH TIME ZONE END`;
    return { csvType: "VARCHAR", fast, misplaced };
  }
  const [first, end] = ["TIMESTAMP '0001-01-01 00:00:00'", "TIMESTAMP '10000-01-01 00:00:00'"];
  const outside = `${quoted} < ${first} OR ${quoted} >= ${end}`;
  return { csvType: "TIMESTAMP", fast: `CASE WHEN ${outside} THEN ${error} ELSE ${quoted} END`, misplaced };
}

function arrayPlace(element: BaseType, name: string, quoted: string): Place | undefined {
  if (!element.builtIn || element.name === "bytea" || element.name === "oid") return undefined;
  const elementType = TEXTS.includes(element.name) ? "string" : scalarType(element);
  if (elementType === undefined) return undefined;
  const deltaType: DataType = { type: "array", elementType, containsNull: true };
  const from = `${element.name}[]`;
  const careful = exactSql(quoted, deltaType, from);
  const fast = exactSql(quoted, deltaType, from, `error(${literal(NO_PLACE + name)})`);
  return { deltaType, csvType: "VARCHAR", from, fast, careful };
}

/** The modifier of numeric: precision in the high half, scale in the low eleven bits, plus the header of four. */
function decimalOf(typmod: number): string | undefined {
  if (typmod < 4) return undefined;
  const { precision, scale } = numericModifier(typmod);
  return precision <= 38 && scale >= 0 && scale <= precision ? `decimal(${precision},${scale})` : undefined;
}

/** Precision and scale of a numeric column's modifier. */
export function numericModifier(typmod: number): { readonly precision: number; readonly scale: number } {
  const bits = typmod - 4;
  return { precision: (bits >> 16) & 0xffff, scale: ((bits & 0x7ff) ^ 1024) - 1024 };
}
