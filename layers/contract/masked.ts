/** Personal values as those see them who may not see them as they are. */
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import type { Column } from "../../schemas/column.ts";
import type { AnyContract } from "../../schemas/table.ts";

/** What stands where a text is hidden; hidden values of other types are NULL. */
const HIDDEN = "***";

/**
 * The columns of a query with those hidden that the contract calls sensitive: `mask` shows that there is a value, `hash`
 * a digest (hexadecimal SHA-256 of `key` and the value) by which rows can still be joined and counted. NULL stays.
 * `key` keeps digests of guessed values from being compared with those of another lake.
 */
export function maskedSql(sql: string, contract: AnyContract, key: string): string {
  const shown = sensitiveColumns(contract).map(
    ([name, column]) => `${shownSql(identifier(name), column, key)} AS ${identifier(name)}`,
  );
  return shown.length === 0 ? sql : `SELECT * REPLACE (${shown.join(", ")}) FROM (${sql}\n)`;
}

/**
 * Likewise for rows in quarantine. Their values lie in JSON under the names of the source: shown are those that the
 * contract has by that name and does not call sensitive.
 */
export function maskedQuarantineSql(sql: string, contract: AnyContract): string {
  if (sensitiveColumns(contract).length === 0) return sql;
  const open = Object.entries(contract.columns).flatMap(([name, { sensitivity }]) =>
    sensitivity === undefined ? [literal(name)] : [],
  );
  const isOpen = open.length === 0 ? "false" : `name IN (${open.join(", ")})`;
  const shown = ["raw", "key"].map((json) => {
    const hidden = `SELECT json_group_object(name, ${literal(HIDDEN)}) FROM unnest(json_keys(${json})) AS members(name) WHERE NOT ${isOpen}`;
    return `json_merge_patch(${json}, coalesce((${hidden}), '{}'))::VARCHAR AS ${json}`;
  });
  return `SELECT * REPLACE (${shown.join(", ")}) FROM (${sql}\n)`;
}

const sensitiveColumns = (contract: AnyContract) =>
  Object.entries(contract.columns).filter(([, { sensitivity }]) => sensitivity !== undefined);

function shownSql(value: string, { sensitivity, type }: Column, key: string): string {
  if (sensitivity === "mask" && type !== "string") return "NULL";
  const shown =
    sensitivity === "mask" ? literal(HIDDEN) : `sha256(concat(${literal(`${key}:`)}, ${value}::VARCHAR))`;
  return `CASE WHEN ${value} IS NOT NULL THEN ${shown} END`;
}
