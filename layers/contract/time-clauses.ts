/** Checks of instants and days in SQL. */
import { never } from "./clause.ts";

/** The last instant of a JavaScript Date, and by its negative the first, in microseconds. */
const LAST_MICROS = 8_640_000_000_000_000_000n;

const instant = (micros: bigint) => `make_timestamptz(CAST('${micros}' AS BIGINT))`;

/** What zod's dates are without any check: instants that JavaScript has. */
export const instantSql = (value: string) =>
  `${value} BETWEEN ${instant(-LAST_MICROS)} AND ${instant(LAST_MICROS)}`;

/** `value operator bound` for instants, which in TypeScript are whole milliseconds, rounded down. */
export function compareInstantSql(
  value: string,
  operator: "<" | "<=" | ">" | ">=",
  bound: unknown,
): string | undefined {
  if (!(bound instanceof Date)) return undefined;
  const milliseconds = bound.getTime();
  if (Number.isNaN(milliseconds)) return never(value);
  const [at, next] = [BigInt(milliseconds) * 1000n, (BigInt(milliseconds) + 1n) * 1000n];
  if (operator === ">=" || operator === "<") return `${value} ${operator} ${instant(at)}`;
  return `${value} ${operator === ">" ? ">=" : "<"} ${instant(next)}`;
}

/** The days that `YYYY-MM-DD` can say; JavaScript's year 0 is SQL's year 1 before Christ. */
export const daySql = (value: string) => `${value} BETWEEN DATE '0000-01-01' AND DATE '9999-12-31'`;
