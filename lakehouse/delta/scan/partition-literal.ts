/** Partition values as SQL (PROTOCOL.md, "Partition Value Serialization"). */
import { literal } from "../../duckdb/quote.ts";
import { TerminalError } from "../../errors.ts";
import { duckdbType, type StructField } from "../schema.ts";
import { decodePartitionValue } from "../skip/partition-value.ts";
import { decimalText, type Value } from "../skip/value.ts";

const MICROS_PER_DAY = 86_400_000_000n;
/** What Hive writes for null in the names of folders; some converters left it in the log. */
const HIVE_NULL = "__HIVE_DEFAULT_PARTITION__";
const TIMES = new Set(["date", "timestamp", "timestamp_ntz"]);

/**
 * SQL for the value that a text of the log stands for, typed as the column is. Null and the empty text are NULL. Does
 * not depend on the session's time zone. Rejects what is no such value with `DELTA_BAD_PARTITION_VALUE`.
 */
export function partitionLiteral(text: string | null, f: StructField): string {
  const type = duckdbType(f.type);
  if (text === null || text === "") return `NULL::${type}`;
  if (f.type === "string" || /^(var)?char\(/.test(String(f.type))) return `${literal(text)}::VARCHAR`;
  if (text === HIVE_NULL) return `NULL::${type}`;
  const value = typeof f.type === "string" ? decodePartitionValue(text, f.type) : undefined;
  if (value !== undefined && value !== null) return valueSql(value, type);
  // Years of more digits, times without seconds: DuckDB takes these, or says what it makes of them.
  if (TIMES.has(String(f.type)) && /^[+-]?\d+-\d+-\d+/.test(text)) return `${literal(text)}::${type}`;
  throw new TerminalError(`partition column ${f.name} has a value that is not of its type`, {
    code: "DELTA_BAD_PARTITION_VALUE",
    value: text,
    allowed: `a ${typeof f.type === "string" ? f.type : "value of a primitive type"}`,
    next: "The log was written by a faulty writer; read an earlier version.",
  });
}

function valueSql(value: Value, type: string): string {
  switch (value.kind) {
    case "boolean":
      return String(value.value);
    case "decimal":
      return `'${decimalText(value.unscaled, value.scale)}'::${type}`;
    case "float":
      return `'${Object.is(value.value, -0) ? "-0.0" : value.value}'::${type}`;
    case "text":
      return `${literal(value.value)}::${type}`;
    case "binary":
      return `from_hex('${Buffer.from(value.value).toString("hex")}')`;
    case "time":
      if (type === "DATE") return `(DATE '1970-01-01' + (${value.micros / MICROS_PER_DAY}))`;
      return `${type === "TIMESTAMP" ? "make_timestamp" : "make_timestamptz"}((${value.micros})::BIGINT)`;
  }
}
