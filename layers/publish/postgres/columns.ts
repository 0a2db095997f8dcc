/** Published rows as a Postgres table: types of its columns, rows in from JSON, and out as the same JSON. */
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import type { PublishedColumn } from "../target.ts";

const TYPES: Readonly<Record<string, string>> = {
  BOOLEAN: "boolean",
  TINYINT: "smallint",
  UTINYINT: "smallint",
  SMALLINT: "smallint",
  USMALLINT: "integer",
  INTEGER: "integer",
  UINTEGER: "bigint",
  BIGINT: "bigint",
  UBIGINT: "numeric",
  HUGEINT: "numeric",
  UHUGEINT: "numeric",
  FLOAT: "real",
  DOUBLE: "double precision",
  DATE: "date",
  TIME: "time",
  TIMESTAMP: "timestamp",
  "TIMESTAMP WITH TIME ZONE": "timestamptz",
  UUID: "uuid",
  VARCHAR: "text",
  BLOB: "text",
};

/** Postgres' type for a column of DuckDB; what has no counterpart is JSON. */
export function postgresType(type: string): string {
  if (type.startsWith("DECIMAL")) return type.replace("DECIMAL", "numeric");
  return TYPES[type] ?? (/[([]/.test(type) ? "jsonb" : "text");
}

/** `"name" type, …`: columns of a table, or of rows out of JSON. */
export const columnList = (columns: readonly PublishedColumn[]): string =>
  columns.map(({ name, type }) => `${identifier(name)} ${postgresType(type)}`).join(", ");

/** SQL of a row as the JSON that was published. */
export function rowJson(columns: readonly PublishedColumn[]): string {
  const parts = columns.map(
    ({ name, type }) => `${valueJson(postgresType(type), identifier(name))} AS ${identifier(name)}`,
  );
  return `(SELECT row_to_json(r) FROM (SELECT ${parts.join(", ")}) AS r)::text`;
}

function valueJson(type: string, sql: string): string {
  if (type === "bigint") {
    return `CASE WHEN ${sql} BETWEEN -9007199254740991 AND 9007199254740991 THEN to_json(${sql}) ELSE to_json(${sql}::text) END`;
  }
  // Wide integers that JavaScript holds are numbers; decimals, which have a scale, are text.
  if (type === "numeric") {
    return `CASE WHEN ${sql} BETWEEN -9007199254740991 AND 9007199254740991 THEN to_json(${sql}) ELSE to_json(${sql}::text) END`;
  }
  if (type.startsWith("numeric(")) return `${sql}::text`;
  if (type === "timestamp") return momentJson(sql, sql, "");
  if (type === "timestamptz") return momentJson(sql, `${sql} AT TIME ZONE 'UTC'`, '"Z"');
  return sql;
}

function momentJson(sql: string, local: string, zone: string): string {
  return `CASE WHEN isfinite(${sql}) THEN to_char(${local}, 'YYYY-MM-DD"T"HH24:MI:SS.US${zone}') ELSE ${sql}::text END`;
}
