/** What a contract says of its columns, in words and SQL. */
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { compileContract } from "../../layers/contract/compile.ts";
import type { Column } from "../../schemas/column.ts";
import { boolean, double, integer, long, text, timestamp } from "../../schemas/columns.ts";
import type { DeltaType } from "../../schemas/delta-type.ts";
import { jsonSchemaOf } from "../../schemas/json-schema.ts";
import { date, decimal } from "../../schemas/ordered-column.ts";
import { type AnyContract, defineTable } from "../../schemas/table.ts";
import type { DescribedColumn, DescribedTable } from "./described.ts";

/** Columns of a contract without where they come from, and the checks over several of them. */
export function describeContract(contract: AnyContract): {
  columns: Omit<DescribedColumn, "from">[];
  checks: DescribedTable["checks"];
} {
  const { rules, residual } = compileContract(contract);
  const properties = jsonSchemaOf(contract).properties ?? {};
  const columns = Object.entries(contract.columns).map(([name, column]) => {
    const ofType = rulesOfType(name, column.type);
    const own = rules.flatMap((rule) => (rule.column === name && !ofType.has(rule.sql) ? [rule.sql] : []));
    const inCode = residual.flatMap((rule) => (rule.column === name ? [rule.spec] : []));
    return {
      name,
      type: typeText(column.type),
      nullable: column.isNullable,
      description: column.description,
      marks: marksOf(contract, name, column),
      checks: [...own.map((sql) => readable(sql, name, patternOf(properties[name]))), ...inCode],
    };
  });
  const checks = Object.entries(contract.checks).map(([name, { sql, message }]) => ({ name, sql, message }));
  return { columns, checks };
}

function marksOf(contract: AnyContract, name: string, column: Column): string[] {
  const { reference, sensitivity, defaultValue } = column;
  return [
    contract.key.includes(name) ? "key" : "",
    column.isUnique ? "unique" : "",
    reference ? `→ ${reference.contract().name}.${reference.column}` : "",
    sensitivity === undefined ? "" : sensitivity === "mask" ? "masked" : "hashed",
    contract.partitionBy.includes(name) ? "partition" : "",
    defaultValue === undefined ? "" : `default ${String(defaultValue)}`,
  ].filter((mark) => mark !== "");
}

const PLAIN: Readonly<Record<string, () => Column>> = {
  boolean,
  date,
  double,
  integer,
  long,
  string: text,
  timestamp,
};

/** What every column of the type keeps, and nobody has to be told: that it is there, that it is a day. */
function rulesOfType(name: string, type: DeltaType): ReadonlySet<string> {
  const [, precision, scale] = /^decimal\((\d+),(\d+)\)$/.exec(String(type)) ?? [];
  const column =
    precision === undefined ? PLAIN[String(type)]?.() : decimal(Number(precision), Number(scale));
  const present = `${identifier(name)} IS NOT NULL`;
  if (column === undefined) return new Set([present]);
  const plain = defineTable({ name: "plain", description: "", columns: { [name]: column } });
  return new Set([present, ...compileContract(plain).rules.map((rule) => rule.sql)]);
}

/** SQL as a person would write it; a pattern as it was written in the contract. */
function readable(sql: string, name: string, pattern: string | undefined): string {
  if (pattern !== undefined && sql.startsWith("regexp_matches(")) return pattern;
  const plain = sql.replace(/CAST\('(-?[\d.]+)' AS [A-Z]+(?:\([\d, ]+\))?\)/g, "$1");
  return /^[a-z_][a-z0-9_]*$/.test(name) ? plain.replaceAll(identifier(name), name) : plain;
}

type JsonProperty = NonNullable<ReturnType<typeof jsonSchemaOf>["properties"]>[string];

/** What text has to look like: a format by its name, or a regular expression. */
function patternOf(property: JsonProperty | undefined): string | undefined {
  if (typeof property !== "object") return undefined;
  const [first, ...rest] = [property, ...(property.anyOf ?? []), ...(property.allOf ?? [])].flatMap(
    (schema) => {
      if (typeof schema !== "object" || schema.pattern === undefined) return [];
      return [schema.format === undefined ? `matches ${schema.pattern}` : `format ${schema.format}`];
    },
  );
  // Of several it is not known which rule is which.
  return rest.length === 0 ? first : undefined;
}

/** `decimal(12,2)`, `array<string>`, `struct<city: string>`. */
export function typeText(type: DeltaType): string {
  if (typeof type === "string") return type;
  if (type.type === "array") return `array<${typeText(type.elementType)}>`;
  return `struct<${type.fields.map((field) => `${field.name}: ${typeText(field.type)}`).join(", ")}>`;
}
