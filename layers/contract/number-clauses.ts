/** Checks of numbers, as zod does them in doubles and bigints, in SQL. */
import { never, type Operand } from "./clause.ts";

const INT64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

/** Types whose values are bigints in a contract's row. */
const isBig = (type: string) => type === "long";
const isFloat = (type: string) => type === "double" || type === "float";

/** `value operator bound`; undefined where the bound is of another kind than the values. */
export function compareSql(
  { sql, type }: Operand,
  operator: "<" | "<=" | ">" | ">=",
  bound: unknown,
): string | undefined {
  if (typeof bound === "bigint" && isBig(type)) {
    const isUpper = operator.startsWith("<");
    if (bound > INT64.max) return isUpper ? "true" : never(sql);
    if (bound < INT64.min) return isUpper ? never(sql) : "true";
    return `${sql} ${operator} ${bigSql(bound)}`;
  }
  if (typeof bound !== "number" || isBig(type)) return undefined;
  // Nothing compares with it in JavaScript; in SQL it is the greatest.
  if (Number.isNaN(bound)) return never(sql);
  return `${sql} ${operator} ${numberSql(bound, type)}`;
}

export function multipleOfSql({ sql, type }: Operand, step: unknown): string | undefined {
  if (typeof step === "bigint" && isBig(type)) {
    const size = step < 0n ? -step : step;
    if (size === 0n) return never(sql);
    // Also because the least integer divided by -1 is out of range.
    if (size === 1n) return "true";
    return size > INT64.max
      ? `CAST(${sql} AS HUGEINT) % CAST('${size > 2n ** 64n ? 2n ** 64n : size}' AS HUGEINT) = 0`
      : `${sql} % ${bigSql(size)} = 0`;
  }
  if (typeof step !== "number" || isBig(type)) return undefined;
  if (step === 0 || Number.isNaN(step)) return never(sql);
  // As zod: a quotient that is an integer but for the rounding of its operands and of itself.
  const ratio = `(CAST(${sql} AS DOUBLE) / ${doubleSql(step)})`;
  const tolerance = `${doubleSql(4 * Number.EPSILON)} * greatest(abs(${ratio}), 1::DOUBLE)`;
  return `abs(${ratio} - round(${ratio})) < ${tolerance}`;
}

const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  safeint: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  float32: [-3.4028234663852886e38, 3.4028234663852886e38],
};
const INT32_TYPES = new Set(["integer", "short", "byte"]);

/** zod's formats of numbers: `int32`, `safeint`, `float32`, `uint64` …; undefined where the format is not known. */
export function formatSql({ sql, type }: Operand, format: string): string | undefined {
  if (isBig(type)) return format === "uint64" ? `${sql} >= 0` : format === "int64" ? "true" : undefined;
  if (format === "float64") return "true";
  const range = RANGES[format];
  if (range === undefined) return undefined;
  if (INT32_TYPES.has(type)) return format === "uint32" ? `${sql} >= 0` : "true";
  const within = `${sql} BETWEEN ${doubleSql(range[0])} AND ${doubleSql(range[1])}`;
  return format === "float32" ? within : `(${within} AND ${sql} = trunc(${sql}))`;
}

/** What zod's numbers are without any check: neither NaN nor infinite. */
export const finiteSql = ({ sql, type }: Operand) => (isFloat(type) ? `isfinite(${sql})` : "true");

/** A number or bigint of an enumeration; undefined where no value of the type equals it. */
export function memberSql(type: string, member: unknown): string | undefined {
  if (typeof member === "bigint") {
    return isBig(type) && member >= INT64.min && member <= INT64.max ? bigSql(member) : undefined;
  }
  if (typeof member !== "number" || isBig(type)) return undefined;
  return isFloat(type) || Number.isFinite(member) ? numberSql(member, type) : undefined;
}

/** Integers stay integers next to integers, which is faster. */
function numberSql(value: number, type: string): string {
  return INT32_TYPES.has(type) && Number.isSafeInteger(value) ? bigSql(BigInt(value)) : doubleSql(value);
}

const bigSql = (value: bigint) => `CAST('${value}' AS BIGINT)`;
const doubleSql = (value: number) => `CAST('${value}' AS DOUBLE)`;
