/** Builders of columns. */
import { z } from "zod";
import { Column, type ValueOf } from "./column.ts";
import { knownCheck } from "./known-check.ts";

/** UTF-8 text. */
export const text = () => new Column("string", z.string(), false);
/** 64-bit integer, `bigint` in TypeScript. */
export const long = () => new Column("long", z.int64(), false);
/** 32-bit integer. */
export const integer = () => new Column("integer", z.int32(), false);
/** 64-bit float; a number, so neither NaN nor infinite. */
export const double = () => new Column("double", z.number(), false);
export const boolean = () => new Column("boolean", z.boolean(), false);
/** An instant, microseconds in the table, UTC; milliseconds in TypeScript. */
export const timestamp = () => new Column("timestamp", z.date(), false);

/** Text that is one of these. */
export const oneOf = <const T extends readonly [string, ...string[]]>(...values: T) =>
  new Column("string", z.enum(values), false);

/** JSON as text: what `JSON.parse` takes, unparsed in TypeScript too, so that no number is rounded. */
export const json = () =>
  new Column("string", z.string().check(knownCheck({ kind: "json" }, "must be JSON", isJson)), false);

function isJson(value: string): boolean {
  try {
    JSON.parse(value);
    return true;
  } catch {
    return false;
  }
}

/** A list; `array(text().nullable())` may hold nulls. */
export function array<C extends Column>(element: C) {
  const type = { type: "array", elementType: element.type, containsNull: element.isNullable } as const;
  return new Column(type, z.array(element.zod as z.ZodType<ValueOf<C>>), false);
}

/** A value of named fields. */
export function struct<F extends Readonly<Record<string, Column>>>(fields: F) {
  const type = {
    type: "struct",
    fields: Object.entries(fields).map(([name, f]) => ({
      name,
      type: f.type,
      nullable: f.isNullable,
      metadata: f.description === undefined ? {} : { comment: f.description },
    })),
  } as const;
  type Shape = { -readonly [K in keyof F]: z.ZodType<ValueOf<F[K]>> };
  const shape = Object.fromEntries(Object.entries(fields).map(([name, f]) => [name, f.zod])) as Shape;
  return new Column(type, z.object(shape), false);
}
