/**
 * Files of a table that a merge can concern. Equalities of its condition bound the keys of the target by those of
 * the source, so that a merge into a large table looks at the part that it is about.
 */
import type { DuckDb, Session } from "../../duckdb/duckdb.ts";
import { identifier, literal } from "../../duckdb/quote.ts";
import { findField } from "../evolve.ts";
import { duckdbType, type StructField } from "../schema.ts";
import { parsePredicate } from "../skip/parse-predicate.ts";
import { asNode, childrenOf, parseCondition, type SqlNode } from "../skip/sql-tree.ts";
import type { Snapshot } from "../snapshot.ts";
import type { MergeSpec } from "./merge-spec.ts";
import { type Selection, select, selectAll } from "./select-files.ts";

/** So many different keys are looked up one by one; more are bounded by the least and the greatest. */
const MOST_KEYS = 100;
const INTEGERS = new Set(["TINYINT", "SMALLINT", "INTEGER", "BIGINT"]);

/** The files to join with the source, with what that choice depends on. `whole` is always empty. */
export async function matchingFiles(
  duckdb: DuckDb,
  session: Session,
  base: Snapshot,
  spec: Pick<MergeSpec, "on" | "notMatchedBySource">,
  source: string,
): Promise<Selection> {
  const everything: Selection = { ...selectAll(base), whole: [], files: [...base.files.values()] };
  if (spec.notMatchedBySource?.length) return everything;
  const bounds: string[] = [];
  const columns = await session.describe(`SELECT * FROM ${source}`);
  for (const [target, column] of equalities(await parseCondition(duckdb, spec.on))) {
    const f = findField(base.schema, target);
    const type = columns.find(({ name }) => name.toLowerCase() === column.toLowerCase())?.type;
    if (f === undefined || type === undefined || !comparable(f, type)) continue;
    const bound = await boundSql(session, f, source, column);
    if (bound !== undefined) bounds.push(bound);
  }
  if (bounds.length === 0) return everything;
  const { predicate } = await parsePredicate(duckdb, bounds.join(" AND "), base.schema);
  const selection = select(base, predicate);
  return { ...selection, whole: [], files: [...selection.files, ...selection.whole] };
}

/** Pairs of columns, `target.a = source.b`, that every match fulfils. */
function equalities(node: SqlNode | undefined): [target: string, source: string][] {
  if (node?.class === "CONJUNCTION" && node.type === "CONJUNCTION_AND")
    return childrenOf(node).flatMap(equalities);
  if (node?.type !== "COMPARE_EQUAL" && node?.type !== "COMPARE_NOT_DISTINCT_FROM") return [];
  const sides = [asNode(node.left), asNode(node.right)].map(columnOf);
  const target = sides.find((side) => side?.[0] === "target")?.[1];
  const source = sides.find((side) => side?.[0] === "source")?.[1];
  // IS NOT DISTINCT FROM lets nulls match, which no bound includes.
  if (target === undefined || source === undefined || node.type !== "COMPARE_EQUAL") return [];
  return [[target, source]];
}

function columnOf(node: SqlNode | undefined): [relation: string, column: string] | undefined {
  if (node?.class !== "COLUMN_REF" || !Array.isArray(node.column_names) || node.column_names.length !== 2)
    return undefined;
  const [relation, column] = node.column_names.map(String);
  return relation === undefined || column === undefined ? undefined : [relation.toLowerCase(), column];
}

/** Whether DuckDB compares the two without turning either into something of another order. */
function comparable(f: StructField, type: string): boolean {
  if (typeof f.type !== "string" || ["binary", "float", "double", "boolean"].includes(f.type)) return false;
  const own = duckdbType(f.type).replaceAll(" ", "");
  return own === type.replaceAll(" ", "") || (INTEGERS.has(own) && INTEGERS.has(type));
}

/** What is known of the column in rows that match: one of few values, or between two. */
async function boundSql(
  session: Session,
  f: StructField,
  source: string,
  column: string,
): Promise<string | undefined> {
  const name = identifier(column);
  const [range] = await session.rows(
    `SELECT min(${name})::VARCHAR AS low, max(${name})::VARCHAR AS high, approx_count_distinct(${name}) AS keys FROM ${source}`,
  );
  if (range?.low === null || range?.low === undefined || range.high === null) return "false";
  // No literal can hold the character NUL, which sorts first: it may be in a bound, or among the keys.
  const [{ odd } = { odd: true }] = await session.rows(
    `SELECT coalesce(bool_or(contains(${name}::VARCHAR, chr(0))), false) AS odd FROM ${source}`,
  );
  if (odd === true) return undefined;
  const typed = (value: unknown) => `${literal(String(value))}::${duckdbType(f.type)}`;
  if (Number(range.keys) <= MOST_KEYS) {
    const keys = await session.rows(
      `SELECT DISTINCT ${name}::VARCHAR AS key FROM ${source} WHERE ${name} IS NOT NULL`,
    );
    return `${identifier(f.name)} IN (${keys.map(({ key }) => typed(key)).join(", ")})`;
  }
  return `${identifier(f.name)} BETWEEN ${typed(range.low)} AND ${typed(range.high)}`;
}
