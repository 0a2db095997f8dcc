/** What a bronze table's changes amount to: the rows that the source has after them. */
import { identifier, identifiers } from "../../lakehouse/duckdb/quote.ts";
import { META } from "./bronze-columns.ts";

const LATEST_FIRST = `${META.lsn} DESC, ${META.sequence} DESC`;

/** Of the rows of a bronze table: those that no later truncation took away, and no truncations. */
function sinceTruncationSql(rows: string): string {
  const { operation, lsn, sequence } = META;
  return `SELECT * FROM (${rows}) WHERE ${operation} <> 't' AND (${lsn}, ${sequence}) >
    coalesce((SELECT max((${lsn}, ${sequence})) FROM (${rows}) WHERE ${operation} = 't'), (-1::BIGINT, -1::BIGINT))`;
}

/** The newest change of each key, deletions among them. */
export function newestSql(rows: string, key: readonly string[]): string {
  return `SELECT * FROM (${sinceTruncationSql(rows)})
    QUALIFY row_number() OVER (PARTITION BY ${identifiers(key)} ORDER BY ${LATEST_FIRST}) = 1`;
}

/**
 * The rows that the source had, meta columns among them. `columns`: the source's; those of a table without key come
 * as often as they were there, and without meta columns.
 */
export function currentStateSql(rows: string, key: readonly string[], columns: readonly string[]): string {
  if (key.length > 0) return `SELECT * FROM (${newestSql(rows, key)}) WHERE ${META.operation} <> 'd'`;
  const names = [...columns, META.rescued].map(identifier).join(", ");
  return `SELECT ${names} FROM (
    SELECT ${names}, unnest(range(_ingot_count)) FROM (
      SELECT ${names}, sum(CASE ${META.operation} WHEN 'd' THEN -1 ELSE 1 END)::BIGINT AS _ingot_count
        FROM (${sinceTruncationSql(rows)}) GROUP BY ALL) WHERE _ingot_count > 0)`;
}
