/** How a table's columns may change (PROTOCOL.md, "Schema Evolution" is left to writers; "Type Widening" is not). */
import { TerminalError } from "../errors.ts";
import type { DataType, StructField, StructType } from "./schema.ts";

/** Widenings that every reader of the type widening feature knows. */
const WIDER: Readonly<Record<string, readonly string[]>> = {
  byte: ["short", "integer", "long", "double"],
  short: ["integer", "long", "double"],
  integer: ["long", "double"],
  float: ["double"],
  date: ["timestamp_ntz"],
};
/** Digits that an integer needs before the point of a decimal. */
const DIGITS: Readonly<Record<string, number>> = { byte: 10, short: 10, integer: 10, long: 20 };

/** Whether every value of `from` is one of `to`, and the protocol allows the change. */
export function widens(from: DataType, to: DataType): boolean {
  if (typeof from !== "string" || typeof to !== "string") return false;
  if (WIDER[from]?.includes(to)) return true;
  const target = decimalOf(to);
  if (target === undefined) return false;
  const source = decimalOf(from);
  if (source !== undefined) {
    const [more, scale] = [target.precision - source.precision, target.scale - source.scale];
    return scale >= 0 && more >= scale && (more > 0 || scale > 0);
  }
  const digits = DIGITS[from];
  return digits !== undefined && target.precision - target.scale >= digits;
}

function decimalOf(type: string): { precision: number; scale: number } | undefined {
  const match = /^decimal\((\d+),\s*(\d+)\)$/.exec(type);
  return match === null ? undefined : { precision: Number(match[1]), scale: Number(match[2]) };
}

/** The field of this name; as SQL has it, case does not count. */
export function findField(schema: StructType, name: string): StructField | undefined {
  return (
    schema.fields.find((f) => f.name === name) ??
    schema.fields.find((f) => f.name.toLowerCase() === name.toLowerCase())
  );
}

/** As `findField`; a column that is not there is an error that lists those that are. */
export function existingField(schema: StructType, name: string): StructField {
  const found = findField(schema, name);
  if (found !== undefined) return found;
  throw new TerminalError(`there is no column ${name}`, {
    code: "DELTA_NO_SUCH_COLUMN",
    value: name,
    allowed: schema.fields.map((f) => f.name).join(", "),
    next: "Correct the name; `ingot table schema` shows the columns.",
  });
}

/**
 * The table's columns with those that rows bring. Without `evolve` a new column is an error. New columns come last
 * and are nullable; types stay the table's: rows are cast to them.
 */
export function mergeColumns(schema: StructType, incoming: StructType, evolve: boolean): StructType {
  const added = incoming.fields.filter((f) => findField(schema, f.name) === undefined);
  if (added.length === 0) return schema;
  if (!evolve) {
    throw new TerminalError(`the rows have columns that the table does not have`, {
      code: "DELTA_UNKNOWN_COLUMNS",
      value: added.map((f) => f.name).join(", "),
      allowed: schema.fields.map((f) => f.name).join(", "),
      next: "Leave them out, or allow the table to grow with `evolveSchema: true`.",
    });
  }
  return { ...schema, fields: [...schema.fields, ...added.map((f) => ({ ...f, nullable: true }))] };
}

/** Names that the kernel gives columns of its own while it works on rows. */
const RESERVED = /^_ingot_(file|row|kind|source|clause|value_\d+|no_columns)$/i;

/** Refuses names of columns that cannot stand side by side in a table, or not in one that Ingot works on. */
export function checkNames(names: readonly string[]): void {
  refuseAlike(names, "");
  const own = names.find((name) => RESERVED.test(name));
  if (own !== undefined) throw badName(own, "this name is Ingot's own");
}

/** As `checkNames`, and the same for members of structs at any depth, for which no name is reserved. */
export function checkColumnNames({ fields }: StructType): void {
  checkNames(fields.map((f) => f.name));
  for (const f of fields) checkMembers(f.type, f.name);
}

function checkMembers(type: DataType, path: string): void {
  if (typeof type === "string") return;
  if (type.type === "array") checkMembers(type.elementType, `${path}[]`);
  else if (type.type === "map") {
    for (const inner of [type.keyType, type.valueType]) checkMembers(inner, `${path}{}`);
  } else {
    const names = type.fields.map((f) => f.name);
    refuseAlike(names, `${path}.`);
    for (const f of type.fields) checkMembers(f.type, `${path}.${f.name}`);
  }
}

function refuseAlike(names: readonly string[], prefix: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    const folded = name.toLowerCase();
    if (name === "") throw badName(prefix, "a column needs a name");
    if (seen.has(folded))
      throw badName(prefix + name, "two columns have this name; case does not tell them apart");
    seen.add(folded);
  }
}

function badName(name: string, why: string): TerminalError {
  return new TerminalError(`column "${name}": ${why}`, {
    code: "DELTA_BAD_SCHEMA",
    value: name,
    next: "Give the column another name.",
  });
}

/** Members of structs, at any depth, that `incoming` has and `own` has not, as paths. */
export function unknownMembers(own: DataType, incoming: DataType, path = ""): string[] {
  if (typeof own === "string" || typeof incoming === "string") return [];
  if (own.type === "array" && incoming.type === "array") {
    return unknownMembers(own.elementType, incoming.elementType, `${path}[]`);
  }
  if (own.type === "map" && incoming.type === "map") {
    const inKeys = unknownMembers(own.keyType, incoming.keyType, `${path}{}`);
    return [...inKeys, ...unknownMembers(own.valueType, incoming.valueType, `${path}{}`)];
  }
  if (own.type !== "struct" || incoming.type !== "struct") return [];
  return incoming.fields.flatMap((f) => {
    const mine = findField(own, f.name);
    const here = path === "" ? f.name : `${path}.${f.name}`;
    return mine === undefined ? [here] : unknownMembers(mine.type, f.type, here);
  });
}
