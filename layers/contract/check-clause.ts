/** One check of a zod schema as a clause. */
import { z } from "zod";
import { type KnownCheck, knownMeaning } from "../../schemas/known-check.ts";
import type { Clause, Operand } from "./clause.ts";
import { compareSql, formatSql, multipleOfSql } from "./number-clauses.ts";
import { formatClause, jsonSql } from "./text-clauses.ts";
import { compareInstantSql, daySql } from "./time-clauses.ts";

/** Checks that say something of the schema and nothing of values. */
const SILENT = new Set(["describe", "meta"]);

/** zod's own conditions under which checks of lengths run: those that it sets itself do not count. */
const OWN_CONDITIONS = new Set<unknown>([
  z.minLength(1)._zod.def.when,
  z.minSize(1)._zod.def.when,
  undefined,
]);

/** The clause of a check; undefined where it checks nothing. */
export function checkClause(operand: Operand, check: z.core.$ZodCheck): Clause | undefined {
  const def = (check as z.core.$ZodChecks)._zod.def;
  if (SILENT.has(def.check)) return undefined;
  const meaning = knownMeaning(check);
  if (meaning) return knownClause(operand, meaning, check);
  // Issues of a part do not carry the check that looked at the part.
  const own = def.check.startsWith("propert") ? {} : { check };
  const residual = (spec: string): Clause => ({ name: nameOf(def), residual: { spec, ...own } });
  if (!OWN_CONDITIONS.has(def.when)) return residual(`${def.check}: runs under a condition`);
  if (def.check === "string_format") {
    const text = textOf(operand);
    if (operand.type === "date" && def.format === "date") return { name: "date", sql: daySql(operand.sql) };
    return text === undefined ? residual(def.format) : formatClause(text, def, check);
  }
  const sql = sqlOf(operand, def);
  return sql === undefined ? residual(specOf(def, check)) : { name: nameOf(def), sql };
}

type Def = z.core.$ZodChecks["_zod"]["def"];

function sqlOf(operand: Operand, def: Def): string | undefined {
  switch (def.check) {
    case "less_than":
      return compare(operand, def.inclusive ? "<=" : "<", def.value);
    case "greater_than":
      return compare(operand, def.inclusive ? ">=" : ">", def.value);
    case "multiple_of":
      return isNumber(operand) ? multipleOfSql(operand, def.value) : undefined;
    case "number_format":
      return isNumber(operand) ? formatSql(operand, def.format) : undefined;
    case "min_length":
      return lengthSql(operand, ">=", def.minimum);
    case "max_length":
      return lengthSql(operand, "<=", def.maximum);
    case "length_equals":
      return lengthSql(operand, "=", def.length);
    default: {
      const other: z.core.$ZodCheckDef = def;
      if (other.check !== "bigint_format" || !("format" in other)) return undefined;
      return isNumber(operand) ? formatSql(operand, String(other.format)) : undefined;
    }
  }
}

function compare(operand: Operand, operator: "<" | "<=" | ">" | ">=", bound: unknown): string | undefined {
  if (operand.type === "timestamp") return compareInstantSql(operand.sql, operator, bound);
  return isNumber(operand) ? compareSql(operand, operator, bound) : undefined;
}

function lengthSql(operand: Operand, operator: string, length: number): string | undefined {
  const text = textOf(operand);
  const measured = operand.type === "array" ? `len(${operand.sql})` : text && `length(${text})`;
  if (measured === undefined || Number.isNaN(length)) return undefined;
  // Integers are compared with integers, which is faster.
  return `${measured} ${operator} ${Number.isSafeInteger(length) ? length : `CAST('${length}' AS DOUBLE)`}`;
}

const NUMBERS = new Set(["long", "integer", "short", "byte", "float", "double"]);
const isNumber = ({ type }: Operand) => NUMBERS.has(type);

/** The text that TypeScript sees; undefined where SQL would write it differently (some days, some decimals). */
const textOf = ({ sql, type }: Operand) => (type === "string" ? sql : undefined);

function knownClause({ sql, type }: Operand, meaning: KnownCheck, check: object): Clause | undefined {
  if (meaning.kind === "json") return { name: "json", sql: jsonSql(sql) };
  // The column's type says it.
  if (meaning.kind === "decimal" && type === `decimal(${meaning.precision},${meaning.scale})`)
    return undefined;
  if (meaning.kind === "bound") {
    const name = BOUND_NAMES[meaning.operator] ?? "bound";
    if (type === "date") return { name, sql: `${sql} ${meaning.operator} DATE '${meaning.bound}'` };
    if (type.startsWith("decimal")) {
      return { name, sql: `${sql} ${meaning.operator} CAST('${meaning.bound}' AS ${type.toUpperCase()})` };
    }
  }
  return { name: meaning.kind, residual: { spec: `${JSON.stringify(meaning)} of ${type}`, check } };
}

const BOUND_NAMES: Readonly<Record<string, string>> = { ">=": "min", ">": "gt", "<=": "max", "<": "lt" };

const NAMES: Readonly<Record<string, string>> = {
  multiple_of: "multipleOf",
  min_length: "minLength",
  max_length: "maxLength",
  length_equals: "length",
  custom: "refine",
};

function nameOf(def: Def): string {
  if (def.check === "less_than") return def.inclusive ? "max" : "lt";
  if (def.check === "greater_than") return def.inclusive ? "min" : "gt";
  if ("format" in def) return String(def.format);
  return NAMES[def.check] ?? def.check;
}

/** A check that stays in JavaScript, so that a change of it can be seen. */
function specOf(def: Def, check: z.core.$ZodCheck): string {
  const code = "fn" in def ? def.fn : check._zod.check;
  const isCustom = (def.check as string) === "custom";
  return isCustom ? `code: ${String(code)}` : `${def.check}: ${JSON.stringify(def, textOfBig)}`;
}

const textOfBig = (_name: string, value: unknown) => (typeof value === "bigint" ? String(value) : value);
