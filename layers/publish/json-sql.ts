/**
 * Rows as JSON, made by DuckDB: what JavaScript holds exactly is a number, wider integers and decimals are text, so
 * are dates (ISO 8601, instants with `Z`); bytes are base64; what JSON has no number for is null.
 */
import type { ColumnType, StructColumnType } from "../../lakehouse/duckdb/columns.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";

const SAFE = "BETWEEN -9007199254740991 AND 9007199254740991";
const AS_IT_IS = /^(BOOLEAN|VARCHAR|TINYINT|SMALLINT|INTEGER|UTINYINT|USMALLINT|UINTEGER)$/;
const WIDE = /^(BIGINT|UBIGINT|HUGEINT|UHUGEINT)$/;
const MOMENT = "'%Y-%m-%dT%H:%M:%S.%f";

/** SQL that gives a row of these columns as one JSON object in a VARCHAR. */
export function rowJsonSql({ members }: StructColumnType, row: string): string {
  const parts = [...members].map(
    ([name, type]) => `${identifier(name)} := ${valueSql(type, `${row}.${identifier(name)}`)}`,
  );
  return `CAST(to_json(struct_pack(${parts.join(", ")})) AS VARCHAR)`;
}

/** SQL of a value as something that `to_json` writes without loss. */
function valueSql(type: ColumnType, sql: string, depth = 0): string {
  if (typeof type !== "string") {
    const parts = [...type.members].map(
      ([name, member]) =>
        `${identifier(name)} := ${valueSql(member, `struct_extract(${sql}, '${name.replaceAll("'", "''")}')`, depth)}`,
    );
    return `CASE WHEN ${sql} IS NOT NULL THEN struct_pack(${parts.join(", ")}) END`;
  }
  if (AS_IT_IS.test(type)) return sql;
  if (WIDE.test(type))
    return `CASE WHEN ${sql} ${SAFE} THEN to_json(CAST(${sql} AS BIGINT)) ELSE to_json(CAST(${sql} AS VARCHAR)) END`;
  if (type === "DOUBLE" || type === "FLOAT") return `CASE WHEN isfinite(${sql}) THEN ${sql} END`;
  if (type === "TIMESTAMP") return momentSql(sql, sql, "'");
  if (type === "TIMESTAMP WITH TIME ZONE") return momentSql(sql, `${sql} AT TIME ZONE 'UTC'`, "Z'");
  if (type === "BLOB") return `base64(${sql})`;
  const element = /^([A-Z][A-Z ]*(?:\(\d+,\d+\))?(?:\[\])*)\[\]$/.exec(type)?.[1];
  if (element !== undefined) {
    const name = `_ingot_${depth}`;
    return `list_transform(${sql}, lambda ${name}: ${valueSql(element, name, depth + 1)})`;
  }
  // Maps and lists of structs, which JSON has a form for.
  if (/[([]/.test(type) && !type.startsWith("DECIMAL")) return `to_json(${sql})`;
  return `CAST(${sql} AS VARCHAR)`;
}

/** Infinity is no moment of a calendar. */
function momentSql(sql: string, local: string, end: string): string {
  return `CASE WHEN isfinite(${sql}) THEN strftime(${local}, ${MOMENT}${end}) ELSE CAST(${sql} AS VARCHAR) END`;
}
