/**
 * What the rows of a table must fulfil: columns that may not be null, CHECK constraints, column invariants
 * (PROTOCOL.md, "CHECK Constraints", "Column Invariants"). Checked while rows are written, in the same pass.
 */
import { z } from "zod";
import type { DuckDb } from "../duckdb/duckdb.ts";
import { identifier, literal } from "../duckdb/quote.ts";
import { messageOf, TerminalError } from "../errors.ts";
import type { Metadata } from "./actions.ts";
import { type DataType, duckdbType, type StructType } from "./schema.ts";
import { parsePredicate } from "./skip/parse-predicate.ts";

/** Table properties of this prefix are constraints; the rest is the constraint's name. */
export const CONSTRAINT_PREFIX = "delta.constraints.";
/** Begins DuckDB's message when a row breaks a rule; the rule's name and the row follow. */
const MARK = "ingot-broken-constraint";

/** One thing that every row of a table fulfils. */
export interface Rule {
  readonly name: string;
  /** DuckDB SQL over the table's columns; a row is right when it is true. */
  readonly sql: string;
  /** The text was written by whoever made the table: it is looked at before it runs. */
  readonly isStated?: boolean;
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
        isStated: true,
      });
    }
  }
  for (const [key, expression] of Object.entries(metadata.configuration)) {
    if (key.startsWith(CONSTRAINT_PREFIX))
      rules.push({ name: key.slice(CONSTRAINT_PREFIX.length), sql: fromSpark(expression), isStated: true });
  }
  return rules;
}

/** `sql` with a stop at the first row that breaks a rule. */
export function guarded(sql: string, rules: readonly Rule[]): string {
  if (rules.length === 0) return sql;
  const checks = rules.map(
    ({ name, sql: rule }) =>
      `CASE WHEN (${rule}\n) THEN true ELSE error(${literal(`${MARK}:${name}:`)} || left(to_json(_ingot_row)::VARCHAR, 500)) END`,
  );
  return `SELECT * FROM (${sql}\n) AS _ingot_row WHERE ${checks.join(" AND ")}`;
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

/**
 * Refuses to write where a rule cannot be checked: rows must not get in unchecked. A stated rule is about one row
 * alone; one with a sub-query could do anything that SQL can.
 */
export async function checkRules(duckdb: DuckDb, rules: readonly Rule[], schema: StructType): Promise<void> {
  for (const { name, sql, isStated } of rules) {
    if (!isStated) continue;
    try {
      const { isRowwise, unresolved } = await parsePredicate(duckdb, sql, schema);
      if (!isRowwise || unresolved.length > 0) {
        throw new RangeError(isRowwise ? `it names ${unresolved.join(", ")}` : "it is not about one row");
      }
      const columns = schema.fields.map((f) => `NULL::${duckdbType(f.type)} AS ${identifier(f.name)}`);
      await duckdb.rows(`SELECT (${sql}\n) AS ok FROM (SELECT ${columns.join(", ")}) LIMIT 0`);
    } catch (cause) {
      throw new TerminalError(`constraint "${name}" cannot be checked: ${messageOf(cause)}`, {
        code: "DELTA_UNSUPPORTED_CONSTRAINT",
        value: sql,
        allowed: "an expression over the row's columns that DuckDB understands",
        next: "Write with the engine that made the constraint, or drop it.",
        cause,
      });
    }
  }
}

/** Spark quotes names with backticks; in texts they stand for themselves. */
function fromSpark(expression: string): string {
  return expression.replace(/'(?:[^']|'')*'|`/g, (part) => (part === "`" ? '"' : part));
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
