/** How a column travels in a binary COPY: what the source is asked for, and what becomes of it here. */
import { identifier } from "../../../../lakehouse/duckdb/quote.ts";
import type { ColumnMapping } from "../types.ts";
import { BooleanValues, BytesValues, UuidValues } from "./bytes-values.ts";
import type { ColumnValues } from "./column-values.ts";
import { DOUBLE_DIGITS, LongDecimalValues, ShortDecimalValues } from "./decimal-values.ts";
import {
  DateValues,
  DoubleValues,
  IntegerValues,
  LongValues,
  ShortValues,
  TimestampValues,
  UnsignedValues,
} from "./number-values.ts";
import { TextValues } from "./text-values.ts";

export interface WireColumn {
  /** In the select list of the source. */
  readonly select: string;
  readonly values: () => ColumnValues;
  /** SQL over the column that is read here, under the column's name: its value in bronze. */
  readonly value: string;
}

/** By the name of the type in `pg_type`. */
const NATIVE: Readonly<Record<string, () => ColumnValues>> = {
  bool: () => new BooleanValues(),
  int2: () => new ShortValues(),
  int4: () => new IntegerValues("int32"),
  int8: () => new LongValues(),
  oid: () => new UnsignedValues(),
  float4: () => new IntegerValues("float"),
  float8: () => new DoubleValues(),
  date: () => new DateValues(),
  timestamp: () => new TimestampValues(),
  timestamptz: () => new TimestampValues(),
  bytea: () => new BytesValues(),
  uuid: () => new UuidValues(),
};

/**
 * Values whose bytes are known here go as these; of all others the source sends the text. `isWide`: of a table
 * with so many columns that statements with lists of their texts would be long.
 */
export function wireOf(column: ColumnMapping, isWide = false): WireColumn {
  const quoted = identifier(column.name);
  const native = NATIVE[column.baseType] ?? decimalValues(column);
  if (native !== undefined) return { select: quoted, values: native, value: quoted };
  // What a cast to text gives is not for every type what is printed: inet gets a mask, char(n) loses its spaces.
  const select =
    column.printedBy === undefined
      ? quoted
      : `pg_catalog.textin(${column.printedBy}(${quoted})) AS ${quoted}`;
  const isText = column.deltaType === "string" && column.fast === quoted;
  const values = isText && !isWide ? () => new TextValues() : () => new BytesValues("text");
  return { select, values, value: column.fast };
}

/** The id of a transaction, as `xmin` has it. */
export const TRANSACTION: Pick<WireColumn, "select" | "values"> = {
  select: "xmin",
  values: () => new UnsignedValues(),
};

function decimalValues({ baseType, deltaType }: ColumnMapping): (() => ColumnValues) | undefined {
  const match = typeof deltaType === "string" && /^decimal\((\d+),\s*(\d+)\)$/.exec(deltaType);
  if (!match || baseType !== "numeric") return undefined;
  const [precision, scale] = [Number(match[1]), Number(match[2])];
  return precision <= DOUBLE_DIGITS
    ? () => new ShortDecimalValues(precision, scale)
    : () => new LongDecimalValues(precision, scale);
}
