/** As what DuckDB compares a column with literals, where that is exact or can be followed exactly. */
import type { DataType } from "../schema.ts";
import type { SqlLiteral, Target } from "./sql-literal.ts";

const DIGITS: Readonly<Record<string, number>> = { byte: 3, short: 5, integer: 10, long: 19 };
const DECIMAL = /^decimal\((\d+),\s*(\d+)\)$/;
/** DuckDB's widest decimal; beyond it comparisons round. */
const WIDEST = 38;

/**
 * How to read literals that are compared with a column of this Delta type, all in one comparison, list or range.
 * Undefined where DuckDB would round the column's values or convert them to another kind.
 */
export function comparisonTarget(type: DataType, literals: readonly SqlLiteral[]): Target | undefined {
  const typed = literals.filter((l) => l.type !== "NULL");
  if (typeof type !== "string") return undefined;
  const all = (...types: string[]) => typed.every((l) => types.includes(l.type));
  switch (type) {
    case "string":
      return all("VARCHAR") ? "text" : undefined;
    case "boolean":
      return all("BOOLEAN") ? "boolean" : undefined;
    case "date":
    case "timestamp":
    case "timestamp_ntz":
      return timeTarget(type, typed);
    case "float":
      if (typed.every((l) => l.digits !== undefined) || all("FLOAT")) return "FLOAT";
      return all("DOUBLE") ? "DOUBLE" : undefined;
    case "double":
      return typed.every((l) => l.digits !== undefined || isFloat(l)) ? "DOUBLE" : undefined;
    default:
      return fitsExactly(type, typed) ? "exact" : undefined;
  }
}

const OWN_TYPE: Readonly<Record<string, Target>> = {
  date: "DATE",
  timestamp: "TIMESTAMPTZ",
  timestamp_ntz: "TIMESTAMP",
};

/** The session's time zone is UTC, so that dates and timestamps of both kinds lie on one scale. */
function timeTarget(type: string, typed: readonly SqlLiteral[]): Target | undefined {
  // A bare text takes the column's type, unless something else in the list takes precedence.
  if (typed.every((l) => l.constant?.kind === "text")) return OWN_TYPE[type];
  const [first] = typed;
  if (first === undefined || typed.some((l) => l.type !== first.type)) return undefined;
  if (first.type === "DATE" || first.type === "TIMESTAMP") return first.type;
  return first.type === "TIMESTAMP WITH TIME ZONE" ? "TIMESTAMPTZ" : undefined;
}

function isFloat(l: SqlLiteral): boolean {
  return l.type === "FLOAT" || l.type === "DOUBLE";
}

/** Whether column and literals fit one exact type. */
function fitsExactly(type: string, typed: readonly SqlLiteral[]): boolean {
  const decimal = DECIMAL.exec(type);
  const integer = DIGITS[type];
  if (decimal === null && integer === undefined) return false;
  if (integer !== undefined && typed.every((l) => l.digits?.fraction === 0 && l.type !== "DECIMAL"))
    return true;
  const scale = Number(decimal?.[2] ?? 0);
  let whole = integer ?? Number(decimal?.[1]) - scale;
  let fraction = scale;
  for (const { digits } of typed) {
    if (digits === undefined) return false;
    whole = Math.max(whole, digits.whole);
    fraction = Math.max(fraction, digits.fraction);
  }
  return whole + fraction <= WIDEST;
}
