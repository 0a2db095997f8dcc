/** Conditions that leave the touched groups of a model's result. */
import { duckdbType, type StructField } from "../../../lakehouse/delta/schema.ts";
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";

/**
 * So many values stand in the SQL itself, where they are compared with what files say of their rows; more only where
 * nothing else keeps rows of other groups from being joined. Each takes DuckDB some 10 µs to plan.
 */
const FEW = 200;
const MOST_INLINE = 2000;

/** What is known of the touched values of one column of the key; literals of its type. */
export interface KeyValues {
  readonly field: StructField;
  readonly hasNull: boolean;
  readonly range: { readonly low: string; readonly high: string } | undefined;
  /** Undefined where they are many. */
  readonly values: readonly string[] | undefined;
}

/** Looks the touched keys over, column by column. */
export async function keyValues(
  session: Session,
  touched: string,
  fields: readonly StructField[],
): Promise<KeyValues[]> {
  const found: KeyValues[] = [];
  for (const field of fields) {
    const name = identifier(field.name);
    const [row] = await session.rows(
      `SELECT min(${name})::VARCHAR AS low, max(${name})::VARCHAR AS high, count(DISTINCT ${name}) AS keys, bool_or(${name} IS NULL) AS has_null,
              coalesce(bool_or(contains(${name}::VARCHAR, chr(0)) OR starts_with(${name}::VARCHAR, chr(65279))), false) AS is_odd FROM ${touched}`,
    );
    const typed = (value: unknown) => `${literal(String(value))}::${duckdbType(field.type)}`;
    // No literal can hold the character NUL, and a byte order mark at the beginning is lost on the way to JavaScript.
    const isPlain = row?.is_odd === false && row.low !== null && field.type !== "binary";
    const few = isPlain && Number(row.keys) <= MOST_INLINE;
    const values = few
      ? await session.rows(`SELECT DISTINCT ${name}::VARCHAR AS v FROM ${touched} WHERE ${name} IS NOT NULL`)
      : undefined;
    found.push({
      field,
      hasNull: row?.has_null === true,
      range: isPlain ? { low: typed(row.low), high: typed(row.high) } : undefined,
      values: values?.map(({ v }) => typed(v)),
    });
  }
  return found;
}

/** Whether the values are few enough to be listed in any case. */
export const isListed = ({ values }: KeyValues): boolean => values !== undefined && values.length <= FEW;

/**
 * Condition over the columns of the key: at least the touched groups, whole. `exact`: columns that have no other values
 * in the rows which are grouped.
 */
export function resultFilter(
  touched: string,
  keys: readonly KeyValues[],
  exact: ReadonlySet<string>,
): string {
  const conditions = keys.flatMap(({ field, hasNull, range, values }) => {
    if (exact.has(field.name)) return [];
    const name = identifier(field.name);
    const value = `CAST(${name} AS ${duckdbType(field.type)})`;
    const conditions =
      values !== undefined
        ? [`${value} IN (${values.join(", ")})`]
        : [
            ...(range && !hasNull ? [`${value} BETWEEN ${range.low} AND ${range.high}`] : []),
            `${value} IN (SELECT ${name} FROM ${touched})`,
          ];
    const all = conditions.join(" AND ");
    return hasNull ? `(${all} OR ${value} IS NULL)` : all;
  });
  return conditions.join(" AND ") || "true";
}
