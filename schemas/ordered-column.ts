/** Columns whose values are texts with an order of their own: decimals and days. */
import { z } from "zod";
import { Column } from "./column.ts";
import type { DeltaPrimitive } from "./delta-type.ts";
import { type BoundOperator, knownCheck } from "./known-check.ts";

/** How texts of a type are compared: below 0, 0 or above 0; NaN where one of them is no value of it. */
type Compare = (a: string, b: string) => number;

/** A column with bounds that are said as its values are: `decimal(12, 2).min("0")`, `date().min("2020-01-01")`. */
export class OrderedColumn<Z extends z.ZodType<string>, N extends boolean> extends Column<Z, N> {
  readonly compare: Compare;

  constructor(type: DeltaPrimitive, value: Z, isNullable: N, compare: Compare) {
    super(type, value, isNullable);
    this.compare = compare;
  }

  override nullable(): OrderedColumn<Z, true> {
    const column = new OrderedColumn(this.type as DeltaPrimitive, this.value, true as const, this.compare);
    return Object.assign(column, { ...this, isNullable: true });
  }

  /** At least. */
  min(bound: string): this {
    return this.bounded(">=", bound, (order) => order >= 0);
  }

  /** At most. */
  max(bound: string): this {
    return this.bounded("<=", bound, (order) => order <= 0);
  }

  /** Greater than. */
  gt(bound: string): this {
    return this.bounded(">", bound, (order) => order > 0);
  }

  /** Less than. */
  lt(bound: string): this {
    return this.bounded("<", bound, (order) => order < 0);
  }

  private bounded(operator: BoundOperator, bound: string, keeps: (order: number) => boolean): this {
    if (this.compare(bound, bound) !== 0) {
      throw new Error(`a bound of a column of type ${this.type} must be a value of it: "${bound}"`);
    }
    const check = knownCheck({ kind: "bound", operator, bound }, `must be ${operator} ${bound}`, (text) =>
      keeps(this.compare(text, bound)),
    );
    return this.with({ value: this.value.check(check) });
  }
}

/** Most digits of a decimal (PROTOCOL.md, "Primitive Types"). */
const MAX_PRECISION = 38;

/**
 * Exact decimal of `precision` digits, 1 to 38, `scale` of them after the point; a string in TypeScript, so that
 * nothing is rounded.
 */
export function decimal(precision: number, scale: number): OrderedColumn<z.ZodString, false> {
  if (!Number.isInteger(precision) || precision < 1 || precision > MAX_PRECISION) {
    throw new Error(`decimal(${precision}, ${scale}): precision must be 1 to ${MAX_PRECISION}`);
  }
  if (!Number.isInteger(scale) || scale < 0 || scale > precision) {
    throw new Error(`decimal(${precision}, ${scale}): scale must be 0 to the precision, ${precision}`);
  }
  const pattern = decimalPattern(precision, scale);
  const fits = knownCheck(
    { kind: "decimal", precision, scale },
    `must be a decimal number of ${precision - scale} digits and ${scale} after the point`,
    (text) => pattern.test(text),
  );
  const compare = (a: string, b: string) => {
    const [left, right] = [unscaled(a, pattern, scale), unscaled(b, pattern, scale)];
    if (left === undefined || right === undefined) return Number.NaN;
    return left < right ? -1 : Number(left > right);
  };
  return new OrderedColumn(`decimal(${precision},${scale})`, z.string().check(fits), false, compare);
}

/** What a decimal looks like as text. */
export function decimalPattern(precision: number, scale: number): RegExp {
  const whole = precision === scale ? "0" : `\\d{1,${precision - scale}}`;
  return new RegExp(`^-?${whole}${scale === 0 ? "" : `(?:\\.\\d{1,${scale}})?`}$`);
}

function unscaled(text: string, pattern: RegExp, scale: number): bigint | undefined {
  if (!pattern.test(text)) return undefined;
  const [whole = "", fraction = ""] = text.split(".");
  return BigInt(whole.replace("-", "") + fraction.padEnd(scale, "0")) * (text.startsWith("-") ? -1n : 1n);
}

/** Calendar day from year 0 to 9999, `YYYY-MM-DD` in TypeScript. */
export function date(): OrderedColumn<z.ZodISODate, false> {
  const day = z.iso.date();
  // Years of four digits: the order of the texts is that of the days.
  const compare = (a: string, b: string) => {
    if (!day.safeParse(a).success || !day.safeParse(b).success) return Number.NaN;
    return a < b ? -1 : Number(a > b);
  };
  return new OrderedColumn("date", day, false, compare);
}
