/**
 * Statistics that a checkpoint holds as a struct (`stats_parsed`; PROTOCOL.md, "Checkpoints"), as the JSON text that
 * the rest of the kernel reads. Made by SQL, digit by digit: doubles would round decimals and large integers.
 */
import type { ColumnType, StructColumnType } from "../../duckdb/columns.ts";
import { literal } from "../../duckdb/quote.ts";

/** An SQL expression for the JSON text of a struct of statistics; NULL where the struct is. */
export function statsTextSql(expression: string, type: StructColumnType): string {
  return `CASE WHEN ${expression} IS NULL THEN NULL ELSE ${objectSql(expression, type)} END`;
}

function objectSql(expression: string, type: StructColumnType): string {
  const members: string[] = [];
  for (const [name, inner] of type.members) {
    const value = valueSql(`struct_extract(${expression}, ${literal(name)})`, inner);
    // NULL joins to NULL, and concat_ws leaves it out.
    if (value !== undefined) members.push(`${literal(`${JSON.stringify(name)}:`)} || ${value}`);
  }
  return members.length === 0 ? "'{}'" : `'{' || concat_ws(',', ${members.join(", ")}) || '}'`;
}

const NUMBER = /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|U(TINYINT|SMALLINT|INTEGER|BIGINT)|DECIMAL\(.*\))$/;

/** The JSON text of one value, NULL where it is NULL; undefined for types that have no bounds in JSON. */
function valueSql(sql: string, type: ColumnType): string | undefined {
  if (typeof type === "object") return `CASE WHEN ${sql} IS NOT NULL THEN ${objectSql(sql, type)} END`;
  if (NUMBER.test(type)) return `${sql}::VARCHAR`;
  switch (type) {
    case "DOUBLE":
    case "FLOAT":
      // JSON knows neither infinity nor NaN.
      return `CASE WHEN isfinite(${sql}) THEN ${sql}::VARCHAR END`;
    case "BOOLEAN":
      return `${sql}::VARCHAR`;
    case "VARCHAR":
      return `to_json(${sql})::VARCHAR`;
    case "DATE":
      return `'"' || ${sql}::VARCHAR || '"'`;
    case "TIMESTAMP":
    case "TIMESTAMP_NS":
      return timestampSql(`${sql}::TIMESTAMP`, "");
    case "TIMESTAMP WITH TIME ZONE":
      return timestampSql(`make_timestamp(epoch_us(${sql}))`, "Z");
    default:
      return undefined;
  }
}

/** All microseconds are kept, though writers of JSON cut them to milliseconds. */
function timestampSql(sql: string, zone: string): string {
  return `'"' || strftime(${sql}, '%Y-%m-%dT%H:%M:%S.%f') || '${zone}"'`;
}
