/** The clauses of a zod schema for values of a Delta type. */
import type { z } from "zod";
import type { DeltaType } from "../../schemas/delta-type.ts";
import { checkClause } from "./check-clause.ts";
import { type Clause, never, type Operand, textSql } from "./clause.ts";
import { nestedClauses } from "./nested-clauses.ts";
import { finiteSql, memberSql } from "./number-clauses.ts";
import { instantSql } from "./time-clauses.ts";

/** What a value at `sql` of this type has to keep. NULL keeps everything: that it may not be is another rule. */
export function schemaClauses(schema: z.core.$ZodType, type: DeltaType, sql: string, depth = 0): Clause[] {
  const operand: Operand = { sql, type: typeof type === "string" ? type : type.type };
  const own = typeClauses(schema as z.core.$ZodTypes, type, operand, depth);
  const checks = [...(isCheck(schema) ? [schema] : []), ...(schema._zod.def.checks ?? [])];
  return [...own, ...checksInOrder(operand, checks)];
}

/** Formats such as `z.email()` are a schema and a check at once. */
function isCheck(schema: z.core.$ZodType): schema is z.core.$ZodType & z.core.$ZodCheck {
  return schema._zod.traits.has("$ZodCheck") && "check" in schema._zod.def;
}

function checksInOrder(operand: Operand, checks: readonly z.core.$ZodCheck[]): Clause[] {
  const clauses: Clause[] = [];
  let isRewritten = false;
  for (const check of checks) {
    const clause = checkClause(operand, check);
    if (clause === undefined) continue;
    const spec = clause.residual?.spec ?? "";
    clauses.push(
      isRewritten
        ? {
            name: clause.name,
            residual: { spec: `${spec || clause.sql}: of a value that url() trimmed`, check },
          }
        : clause,
    );
    isRewritten ||= "format" in check._zod.def && check._zod.def.format === "url";
  }
  return clauses;
}

/** What the kind of the schema asks, before its checks. */
function typeClauses(schema: z.core.$ZodTypes, type: DeltaType, operand: Operand, depth: number): Clause[] {
  const { def } = schema._zod;
  switch (def.type) {
    case "number":
      return FLOATS.has(operand.type) ? [{ name: "finite", sql: finiteSql(operand) }] : [];
    case "date":
      return [{ name: "date", sql: instantSql(operand.sql) }];
    case "string":
    case "bigint":
    case "boolean":
    case "any":
    case "unknown":
    case "custom":
      return [];
    case "enum":
    case "literal":
      return [membersClause(def.type, schema._zod.values ?? new Set(), operand)];
    case "nan":
      return [{ name: "nan", sql: FLOATS.has(operand.type) ? `isnan(${operand.sql})` : never(operand.sql) }];
    case "readonly":
      return schemaClauses(def.innerType, type, operand.sql, depth);
    case "union":
      return [unionClause(def.options, type, operand, depth)];
    case "array":
    case "object":
      return nestedClauses(schemaClauses, schema, type, operand.sql, depth) ?? [whole(def.type)];
    default:
      return [whole(def.type)];
  }
}

const FLOATS = new Set(["double", "float"]);
const whole = (type: string): Clause => ({
  name: type,
  residual: { spec: `${type}: a schema that SQL does not have` },
});

function membersClause(name: string, members: ReadonlySet<unknown>, { sql, type }: Operand): Clause {
  if (type === "date" || type.startsWith("decimal")) return whole(name);
  const list = [...members].map((member) => memberText(type, member)).filter((text) => text !== undefined);
  return { name, sql: list.length === 0 ? never(sql) : `${sql} IN (${list.join(", ")})` };
}

/** A member as SQL; undefined where no value of the type equals it. */
function memberText(type: string, member: unknown): string | undefined {
  if (typeof member === "boolean") return type === "boolean" ? String(member) : undefined;
  if (typeof member !== "string") return memberSql(type, member);
  return type === "string" ? textSql(member) : undefined;
}

/** What one of several schemas keeps. */
function unionClause(
  options: readonly z.core.$ZodType[],
  type: DeltaType,
  { sql }: Operand,
  depth: number,
): Clause {
  const each = options.map((option) => schemaClauses(option, type, sql, depth));
  if (each.flat().some((clause) => clause.residual !== undefined)) return whole("union");
  const conditions = each.map(
    (clauses) => clauses.map((clause) => `(${clause.sql})`).join(" AND ") || "true",
  );
  return { name: "union", sql: `(${conditions.map((condition) => `(${condition})`).join(" OR ")})` };
}
