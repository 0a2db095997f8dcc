/**
 * Column builders: one definition gives the zod schema of a value in TypeScript, the Delta type in the table's
 * schema and the DuckDB type of the column in SQL.
 */
import { z } from "zod";

/** Primitive types of the Delta protocol (section "Primitive Types"); decimals carry precision and scale. */
export type DeltaPrimitive =
  | "string"
  | "long"
  | "integer"
  | "short"
  | "byte"
  | "float"
  | "double"
  | "boolean"
  | "binary"
  | "date"
  | "timestamp"
  | `decimal(${number},${number})`;

/** A column of a contract. Immutable: `nullable()` and `describe()` give a new one. */
export class Column<Z extends z.ZodType = z.ZodType> {
  readonly type: DeltaPrimitive;
  readonly zod: Z;
  readonly isNullable: boolean;
  readonly description: string | undefined;

  constructor(type: DeltaPrimitive, zod: Z, isNullable = false, description?: string) {
    this.type = type;
    this.zod = zod;
    this.isNullable = isNullable;
    this.description = description;
  }

  /** The same column, with SQL NULL allowed (`null` in TypeScript). */
  nullable(): Column<z.ZodNullable<Z>> {
    return new Column(this.type, this.zod.nullable(), true, this.description);
  }

  /** The same column with a comment, which the Delta schema carries to every reader. */
  describe(description: string): Column<Z> {
    return new Column(this.type, this.zod, this.isNullable, description);
  }
}

/** UTF-8 text. */
export const text = () => new Column("string", z.string());
/** 64-bit integer, `bigint` in TypeScript. */
export const long = () => new Column("long", z.bigint());
/** 32-bit integer. */
export const integer = () => new Column("integer", z.int32());
/** 64-bit float. */
export const double = () => new Column("double", z.number());
export const boolean = () => new Column("boolean", z.boolean());
/** Exact decimal; a string in TypeScript, so that nothing is rounded. Precision is at most 38. */
export const decimal = (precision: number, scale: number) =>
  new Column(`decimal(${precision},${scale})`, z.string().regex(/^-?\d+(\.\d+)?$/));
/** Calendar day, `YYYY-MM-DD` in TypeScript. */
export const date = () => new Column("date", z.iso.date());
/** An instant, microseconds in the table, UTC. */
export const timestamp = () => new Column("timestamp", z.date());
