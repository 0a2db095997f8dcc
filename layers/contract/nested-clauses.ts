/** The clauses of lists and structs. */
import type { z } from "zod";
import type { DeltaType } from "../../schemas/delta-type.ts";
import type { Clause } from "./clause.ts";

type ClausesOf = (schema: z.core.$ZodType, type: DeltaType, sql: string, depth: number) => Clause[];

/** Of the parts of a value; undefined where schema and type do not match. */
export function nestedClauses(
  clausesOf: ClausesOf,
  schema: z.core.$ZodTypes,
  type: DeltaType,
  sql: string,
  depth: number,
): Clause[] | undefined {
  const { def } = schema._zod;
  if (typeof type === "string") return undefined;
  if (def.type === "array" && type.type === "array") {
    const item = `_v${depth}`;
    const clauses = partClauses(clausesOf, def.element, type.elementType, item, depth + 1);
    return clauses.map((clause) => ofEach(clause, sql, item));
  }
  if (def.type !== "object" || type.type !== "struct") return undefined;
  const fields = new Map(type.fields.map((f) => [f.name, f.type]));
  return Object.entries(def.shape).flatMap(([name, part]): Clause[] => {
    const fieldType = fields.get(name);
    if (fieldType === undefined)
      return [{ name, residual: { spec: `${name}: a field that the type does not have` } }];
    const field = `struct_extract(${sql}, '${name.replaceAll("'", "''")}')`;
    return partClauses(clausesOf, part, fieldType, field, depth + 1).map((clause) =>
      ofField(clause, name, sql),
    );
  });
}

/** A part that may be absent is written so in zod: it has no NOT NULL rule of its own elsewhere. */
function partClauses(
  clausesOf: ClausesOf,
  schema: z.core.$ZodType,
  type: DeltaType,
  sql: string,
  depth: number,
): Clause[] {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  if (def.type === "nullable") return clausesOf(def.innerType, type, sql, depth);
  return [{ name: "required", sql: `${sql} IS NOT NULL` }, ...clausesOf(schema, type, sql, depth)];
}

/** A part that JavaScript has to judge is judged with all that is around it. */
function ofEach({ name, sql, residual }: Clause, list: string, item: string): Clause {
  const path = `[]${name.startsWith("[]") ? "" : "."}${name}`;
  return {
    name: path,
    ...(sql && { sql: `len(list_filter(${list}, lambda ${item} : (${sql}) IS FALSE)) = 0` }),
    ...(residual && { residual: anywhere(residual) }),
  };
}

function ofField({ name, sql, residual }: Clause, field: string, struct: string): Clause {
  return {
    name: name.startsWith("[]") ? `${field}${name}` : `${field}.${name}`,
    ...(sql && { sql: `(${struct} IS NULL OR ${sql})` }),
    ...(residual && { residual: anywhere(residual) }),
  };
}

function anywhere({ spec, check }: NonNullable<Clause["residual"]>): NonNullable<Clause["residual"]> {
  return check === undefined ? { spec } : { spec, check };
}
