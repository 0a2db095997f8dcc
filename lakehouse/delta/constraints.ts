/**
 * What the rows of a table must fulfil: columns that may not be null, CHECK constraints, column invariants
 * (PROTOCOL.md, "CHECK Constraints", "Column Invariants"). Checked while rows are written, in the same pass.
 */
import { z } from "zod";
import type { Session } from "../duckdb/duckdb.ts";
import { identifier, literal } from "../duckdb/quote.ts";
import { messageOf, TerminalError } from "../errors.ts";
import type { Metadata } from "./actions.ts";
import type { DataType, StructType } from "./schema.ts";

/** Table properties of this prefix are constraints; the rest is the constraint's name. */
export const CONSTRAINT_PREFIX = "delta.constraints.";
/** Begins DuckDB's message when a row breaks a rule; the rule's name and the row follow. */
const MARK = "ingot-broken-constraint";

interface Rule {
  readonly name: string;
  /** DuckDB SQL over the table's columns; a row is right when it is true. */
  readonly sql: string;
}

const invariantSchema = z.object({ expression: z.object({ expression: z.string() }) });

/** All rules of a table. */
export function rulesOf(metadata: Pick<Metadata, "configuration">, schema: StructType): Rule[] {
  const rules: Rule[] = [];
  for (const f of schema.fields) {
    const required = notNullSql(identifier(f.name), f.type, f.nullable);
    if (required.length > 0) rules.push({ name: `${f.name} is not null`, sql: required.join(" AND ") });
    const invariant = f.metadata["delta.invariants"];
    if (typeof invariant === "string") {
      rules.push({
        name: `invariant of ${f.name}`,
        sql: fromSpark(invariantSchema.parse(JSON.parse(invariant)).expression.expression),
      });
    }
  }
  for (const [key, expression] of Object.entries(metadata.configuration)) {
    if (key.startsWith(CONSTRAINT_PREFIX))
      rules.push({ name: key.slice(CONSTRAINT_PREFIX.length), sql: fromSpark(expression) });
  }
  return rules;
}

/** `sql` with a stop at the first row that breaks a rule. */
export function guarded(sql: string, rules: readonly Rule[]): string {
  if (rules.length === 0) return sql;
  const checks = rules.map(
    ({ name, sql: rule }) =>
      `CASE WHEN (${rule}) THEN true ELSE error(${literal(`${MARK}:${name}:`)} || left(to_json(_row)::VARCHAR, 500)) END`,
  );
  return `SELECT * FROM (${sql}\n) AS _row WHERE ${checks.join(" AND ")}`;
}

/** Runs a write whose SQL is `guarded`; a broken rule becomes an error that names it and shows the row. */
export async function checkingRules<T>(where: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const match = new RegExp(`${MARK}:(.*?):(\\{.*)`, "s").exec(messageOf(cause));
    if (match === null) throw cause;
    throw new TerminalError(`a row breaks a constraint of ${where}: ${match[1]}`, {
      code: "DELTA_CONSTRAINT_BROKEN",
      value: match[2],
      allowed: match[1] ?? "",
      next: "Correct or leave out such rows; nothing was written.",
      cause,
    });
  }
}

/** Refuses to write where a rule is in a dialect that DuckDB does not know: unchecked rows must not get in. */
export async function checkRules(
  session: Session,
  rules: readonly Rule[],
  columnsSql: string,
): Promise<void> {
  for (const { name, sql } of rules) {
    try {
      await session.describe(`SELECT (${sql}) AS ok FROM (${columnsSql})`);
    } catch (cause) {
      throw new TerminalError(`constraint "${name}" cannot be checked: ${messageOf(cause)}`, {
        code: "DELTA_UNSUPPORTED_CONSTRAINT",
        value: sql,
        allowed: "an expression that DuckDB understands",
        next: "Write with the engine that made the constraint, or drop it.",
        cause,
      });
    }
  }
}

/** Spark quotes names with backticks and may compare with ==. */
function fromSpark(expression: string): string {
  return expression.replaceAll("`", '"').replace(/==/g, "=");
}

/** Conditions under which nothing in a value is null that may not be. */
function notNullSql(value: string, type: DataType, nullable: boolean): string[] {
  const inner = nestedSql(value, type);
  const own = nullable ? [] : [`${value} IS NOT NULL`];
  return [...own, ...inner.map((sql) => (nullable ? `(${value} IS NULL OR ${sql})` : sql))];
}

function nestedSql(value: string, type: DataType): string[] {
  if (typeof type === "string") return [];
  if (type.type === "struct") {
    return type.fields.flatMap((f) =>
      notNullSql(`struct_extract(${value}, ${literal(f.name)})`, f.type, f.nullable),
    );
  }
  const list = type.type === "array" ? value : `map_values(${value})`;
  const nullable = type.type === "array" ? type.containsNull : type.valueContainsNull;
  const element = type.type === "array" ? type.elementType : type.valueType;
  const conditions = notNullSql("_e", element, nullable);
  if (conditions.length === 0) return [];
  return [`len(list_filter(${list}, lambda _e : NOT (${conditions.join(" AND ")}))) = 0`];
}
