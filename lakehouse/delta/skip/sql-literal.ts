/** Literals of a condition: read from the tree, then computed by DuckDB, so that each cast is DuckDB's own. */
import type { DuckDb } from "../../duckdb/duckdb.ts";
import { literal } from "../../duckdb/quote.ts";
import { numberText } from "./lossless-json.ts";
import { asNode, type SqlNode } from "./sql-tree.ts";
import { decimalText, parseDecimal, textValue, type Value } from "./value.ts";

/** A constant, or casts of one. */
export interface SqlLiteral {
  /** SQL of DuckDB that gives the value, or NULL where a cast fails. */
  readonly sql: string;
  /** DuckDB's name of the type without parameters; `NULL` for the bare null. */
  readonly type: string;
  /** Digits before and after the point that the type has room for; of exact numbers only. */
  readonly digits: { readonly whole: number; readonly fraction: number } | undefined;
  /** The value of a constant without a cast. A text then takes the type of what it is compared with. */
  readonly constant: Value | undefined;
  readonly isNull: boolean;
}

/** What a literal is compared as. */
export type Target = "exact" | "FLOAT" | "DOUBLE" | "text" | "boolean" | "DATE" | "TIMESTAMP" | "TIMESTAMPTZ";

/** Decimal digits that each exact type is widened to in comparisons. */
const INTEGER_DIGITS: Readonly<Record<string, number>> = {
  TINYINT: 3,
  SMALLINT: 5,
  INTEGER: 10,
  BIGINT: 19,
  HUGEINT: 38,
};
const CASTS = new Set([
  ...Object.keys(INTEGER_DIGITS),
  ...["DECIMAL", "FLOAT", "DOUBLE", "VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"],
]);

/** The literal that a node is; undefined where it is anything else. */
export function readLiteral(node: SqlNode): SqlLiteral | undefined {
  if (node.class === "CONSTANT") return readConstant(node);
  if (node.class !== "CAST") return undefined;
  const child = asNode(node.child);
  const inner = child && readLiteral(child);
  const type = readType(node.cast_type);
  if (inner === undefined || type === undefined) return undefined;
  const sql = `TRY_CAST(${inner.sql} AS ${type.sql})`;
  return { ...type, sql, constant: undefined, isNull: inner.isNull };
}

function readConstant(node: SqlNode): SqlLiteral | undefined {
  const constant = node.value as Readonly<Record<string, unknown>>;
  if (constant.is_null === true) {
    return { sql: "NULL", type: "NULL", digits: undefined, constant: undefined, isNull: true };
  }
  const type = readType(constant.type);
  if (type === undefined) return undefined;
  const value = constantValue(constant.value, type);
  const text = value && constantText(value);
  if (text === undefined) return undefined;
  return { ...type, sql: `${literal(text)}::${type.sql}`, constant: value, isNull: false };
}

interface LiteralType extends Pick<SqlLiteral, "type" | "digits"> {
  /** The type with its parameters. */
  readonly sql: string;
}

function readType(value: unknown): LiteralType | undefined {
  const type = value as { readonly id?: unknown; readonly type_info?: unknown } | null;
  const id = type?.id;
  if (typeof id !== "string" || !CASTS.has(id)) return undefined;
  if (id === "DECIMAL") return decimalType(type?.type_info);
  // Another collation is another order.
  if (type?.type_info !== null && type?.type_info !== undefined) return undefined;
  const whole = INTEGER_DIGITS[id];
  return { type: id, sql: id, digits: whole === undefined ? undefined : { whole, fraction: 0 } };
}

function decimalType(info: unknown): LiteralType | undefined {
  if (typeof info !== "object" || info === null || !("width" in info) || !("scale" in info)) return undefined;
  const [width, scale] = [Number(info.width), Number(info.scale)];
  return {
    type: "DECIMAL",
    sql: `DECIMAL(${width}, ${scale})`,
    digits: { whole: width - scale, fraction: scale },
  };
}

function constantValue(value: unknown, type: LiteralType): Value | undefined {
  if (typeof value === "string") return type.type === "VARCHAR" ? textValue(value) : undefined;
  if (typeof value === "boolean") return { kind: "boolean", value };
  const text = numberText(value) ?? hugeText(value);
  if (text === undefined) return undefined;
  if (type.digits === undefined) return { kind: "float", value: Number(text) };
  const number = parseDecimal(text);
  // The tree has a decimal without its point.
  return number?.kind === "decimal" ? { ...number, scale: type.digits.fraction } : undefined;
}

function constantText(value: Value): string | undefined {
  if (value.kind === "decimal") return decimalText(value.unscaled, value.scale);
  return "value" in value ? String(value.value) : undefined;
}

/** 128 bits, as two halves. */
function hugeText(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null || !("upper" in value) || !("lower" in value))
    return undefined;
  const [upper, lower] = [numberText(value.upper), numberText(value.lower)];
  return upper === undefined || lower === undefined
    ? undefined
    : String(BigInt(upper) * 2n ** 64n + BigInt(lower));
}

/** A literal, and what it is compared as. */
export interface Wanted {
  readonly literal: SqlLiteral;
  readonly target: Target;
}

/**
 * The values of these literals as their targets, in order: null for a null, undefined for what DuckDB cannot cast
 * or what has no place on the scale (infinite dates).
 */
export async function computeLiterals(
  duckdb: DuckDb,
  wanted: readonly Wanted[],
): Promise<(Value | null | undefined)[]> {
  const known = wanted.map(({ literal: l, target }) => knownValue(l, target));
  const columns = wanted.flatMap(({ literal: l, target }, i) =>
    known[i] === undefined ? [`TRY(${targetSql(l.sql, target)}) AS v${i}`] : [],
  );
  if (columns.length === 0) return known;
  const [row = {}] = await duckdb.rows(`SELECT ${columns.join(", ")}`);
  return wanted.map(({ target }, i) => (known[i] === undefined ? toValue(row[`v${i}`], target) : known[i]));
}

/** What needs no cast; long lists are mostly of such. */
function knownValue(l: SqlLiteral, target: Target): Value | null | undefined {
  if (l.isNull) return null;
  const isSame =
    (target === "exact" && l.constant?.kind === "decimal") ||
    (target === "text" && l.constant?.kind === "text") ||
    (target === "boolean" && l.constant?.kind === "boolean");
  return isSame ? l.constant : undefined;
}

function targetSql(sql: string, target: Target): string {
  switch (target) {
    case "exact":
    case "text":
      return `TRY_CAST(${sql} AS VARCHAR)`;
    case "boolean":
      return `TRY_CAST(${sql} AS BOOLEAN)`;
    case "FLOAT":
    case "DOUBLE":
      return `TRY_CAST(TRY_CAST(${sql} AS ${target}) AS DOUBLE)`;
    default:
      return `epoch_us(TRY_CAST(${sql} AS ${target}))`;
  }
}

function toValue(value: unknown, target: Target): Value | undefined {
  if (value === null || value === undefined) return undefined;
  if (target === "exact") return parseDecimal(String(value));
  if (typeof value === "string") return textValue(value);
  if (typeof value === "boolean") return { kind: "boolean", value };
  if (typeof value === "number") return { kind: "float", value };
  return typeof value === "bigint" ? { kind: "time", micros: value } : undefined;
}
