/** What plain objects may hold that are to become rows: nothing that would be stored as something else, or not at all. */
import { TerminalError } from "../errors.ts";
import type { DataType, StructType } from "./schema.ts";

/**
 * A check of rows for a table of these columns. It throws `DELTA_UNKNOWN_COLUMNS` for a column, or a member of a
 * struct at any depth, that the table does not have, and `DELTA_BAD_ROWS` for bytes anywhere but in a binary column,
 * for anything else in one, and for a Map or Set, of which JSON keeps nothing.
 */
export function rowCheck({ fields }: StructType): (row: Readonly<Record<string, unknown>>) => void {
  const types = new Map(fields.map((f) => [f.name, f.type]));
  return (row) => {
    for (const [name, value] of Object.entries(row)) {
      const type = types.get(name);
      if (type === undefined) throw unknownColumn(name, types.keys());
      if (value === null || value === undefined) continue;
      if (type !== "binary") checkValue(value, type, name);
      else if (!(value instanceof Uint8Array)) throw badValue(name, "holds bytes: a Buffer or Uint8Array");
    }
  };
}

/** `type` is undefined inside of values that become text whole. */
function checkValue(value: unknown, type: DataType | undefined, path: string): void {
  if (typeof value !== "object" || value === null) return;
  if (value instanceof Uint8Array)
    throw badValue(path, "cannot hold bytes: only a binary column of the table's own can");
  if (value instanceof Map || value instanceof Set)
    throw badValue(path, "has a Map or Set: give an object or array");
  const nested = typeof type === "string" ? undefined : type;
  for (const [key, inner] of Object.entries(value)) checkValue(inner, ...innerType(nested, key, path));
}

function innerType(
  type: Exclude<DataType, string> | undefined,
  key: string,
  path: string,
): [type: DataType | undefined, path: string] {
  if (type?.type === "array") return [type.elementType, `${path}[]`];
  if (type?.type === "map") return [type.valueType, `${path}{}`];
  const here = `${path}.${key}`;
  if (type === undefined) return [undefined, here];
  const member = type.fields.find((f) => f.name === key);
  if (member !== undefined) return [member.type, here];
  throw unknownColumn(
    here,
    type.fields.map((f) => `${path}.${f.name}`),
  );
}

function unknownColumn(name: string, known: Iterable<string>): TerminalError {
  return new TerminalError(`column "${name}" is not one of the table's`, {
    code: "DELTA_UNKNOWN_COLUMNS",
    value: name,
    allowed: [...known].join(", "),
    next: "Leave it out, or give the rows as SQL with `evolveSchema: true`.",
  });
}

function badValue(name: string, why: string): TerminalError {
  return new TerminalError(`column ${name} ${why}`, {
    code: "DELTA_BAD_ROWS",
    value: name,
    next: "Correct the rows, or give them as SQL.",
  });
}
