/** The SQL of a merge: which rows match, what becomes of them, what is new. */
import { identifier } from "../../duckdb/quote.ts";
import { existingField, findField } from "../evolve.ts";
import { duckdbType, type StructType } from "../schema.ts";
import type { InsertClause, MergeSpec, MergeValues, RowClause } from "./merge-spec.ts";
import { FILE, KIND, ROW } from "./workspace.ts";

/** The row of the source, by its place there: a column that the merge adds to it. */
export const SOURCE_ROW = "_ingot_source";
/** The clause that decides, counted from 0; -1 for none. */
const CLAUSE = "_ingot_clause";

/** Relations that a merge makes in its workspace, qualified names. */
interface MergeNames {
  readonly source: string;
  readonly matched: string;
  readonly unmatched: string;
  readonly inserted: string;
}

export interface MergeShape {
  readonly spec: MergeSpec;
  readonly names: MergeNames;
  /** The table's columns before and after. */
  readonly before: StructType;
  readonly after: StructType;
  /** Columns of the source. */
  readonly source: StructType["fields"][number]["name"][];
  /** SQL of the table's rows with `FILE` and `ROW`. */
  readonly scan: string;
}

/** A column of one side. */
const PLAIN = /^\s*(target|source)\.("(?:[^"]|"")*"|\w+)\s*$/i;

const isUpdate = (clause: RowClause): clause is RowClause & { update: MergeValues } => "update" in clause;

/** Pairs of rows that match, with the deciding clause and, where a clause updates, the row as it becomes. */
export function matchedSql(shape: MergeShape): string {
  const { spec, names, scan: target } = shape;
  const clauses = spec.matched ?? [];
  const inserts = (spec.notMatched ?? []).length > 0;
  const bySource = (spec.notMatchedBySource ?? []).length > 0;
  // Pairs on which no clause acts are still needed to know what has a match.
  const all = inserts || bySource;
  const columns = [
    `target.${FILE}`,
    `target.${ROW}`,
    `source.${SOURCE_ROW}`,
    `${chooseSql(clauses)} AS ${CLAUSE}`,
    ...becomesSql(shape, clauses),
  ];
  const from = `(${target}) AS target JOIN ${names.source} AS source ON (${spec.on}\n)`;
  const pairs = `SELECT ${columns.join(", ")} FROM ${from}`;
  return all ? pairs : `SELECT * FROM (${pairs}) WHERE ${CLAUSE} >= 0`;
}

/**
 * Whether pairs may be formed with deleted rows too, to be left out after: few rows match, and looking each row of the
 * table up costs more. Only columns are compared and taken then, so that no value of a deleted row can fail.
 */
export function mayMeetDeleted({ on, matched = [] }: MergeSpec): boolean {
  const isEquality = (part: string) =>
    part.split("=").length === 2 && part.split("=").every((side) => PLAIN.test(side));
  if (on.includes('"') || !on.split(/\sAND\s/i).every(isEquality)) return false;
  return matched.every((clause) => {
    if (clause.when !== undefined) return false;
    return (
      !isUpdate(clause) ||
      clause.update === "all" ||
      Object.values(clause.update).every((sql) => PLAIN.test(sql))
    );
  });
}

/** Rows of the table without a match on which a clause acts. */
export function unmatchedSql(shape: MergeShape): string {
  const { spec, names, scan } = shape;
  const clauses = spec.notMatchedBySource ?? [];
  const columns = [
    `target.${FILE}`,
    `target.${ROW}`,
    `${chooseSql(clauses)} AS ${CLAUSE}`,
    ...becomesSql(shape, clauses),
  ];
  return `SELECT * FROM (SELECT ${columns.join(", ")} FROM (${scan}) AS target ANTI JOIN ${names.matched} AS _m ON target.${FILE} = _m.${FILE} AND target.${ROW} = _m.${ROW}) WHERE ${CLAUSE} >= 0`;
}

/** New rows. */
export function insertedSql(shape: MergeShape): string {
  const { spec, names, after } = shape;
  const clauses = spec.notMatched ?? [];
  const columns = after.fields.map((f) => {
    const values = clauses.map((clause) => valueSql(shape, clause.insert, f.name, "NULL"));
    return `${caseSql(clauses, values)}::${duckdbType(f.type)} AS ${identifier(f.name)}`;
  });
  return `SELECT * EXCLUDE (${CLAUSE}) FROM (SELECT ${chooseSql(clauses)} AS ${CLAUSE}, ${columns.join(", ")} FROM ${names.source} AS source ANTI JOIN ${names.matched} AS _m ON source.${SOURCE_ROW} = _m.${SOURCE_ROW}) WHERE ${CLAUSE} >= 0`;
}

/** Rows that go or change: `FILE`, `ROW`, `KIND`. */
export function touchedSql({ spec, names }: MergeShape): string {
  const part = (relation: string, clauses: readonly RowClause[]) =>
    `SELECT DISTINCT ${FILE}, ${ROW}, ${kindSql(clauses)} AS ${KIND} FROM ${relation} WHERE ${CLAUSE} >= 0`;
  const parts = [part(names.matched, spec.matched ?? [])];
  if (spec.notMatchedBySource?.length) parts.push(part(names.unmatched, spec.notMatchedBySource));
  return parts.join(" UNION ALL ");
}

/** Rows to write: the table's columns and `KIND`. Undefined where no clause writes. */
export function writtenSql(shape: MergeShape): string | undefined {
  const { spec, names, after } = shape;
  const parts: string[] = [];
  const updated = (relation: string, clauses: readonly RowClause[]) => {
    const updates = clauses.flatMap((clause, i) => (isUpdate(clause) ? [i] : []));
    if (updates.length === 0) return;
    const columns = after.fields.map((f, i) => `_ingot_value_${i} AS ${identifier(f.name)}`);
    parts.push(
      `SELECT ${columns.join(", ")}, 'update' AS ${KIND} FROM ${relation} WHERE ${CLAUSE} IN (${updates.join(", ")})`,
    );
  };
  updated(names.matched, spec.matched ?? []);
  updated(names.unmatched, spec.notMatchedBySource ?? []);
  if (spec.notMatched?.length) parts.push(`SELECT *, 'insert' AS ${KIND} FROM ${names.inserted}`);
  return parts.length === 0 ? undefined : parts.join(" UNION ALL BY NAME ");
}

/** One row of the table that more than one row of the source wants to change. Undefined where that is no matter. */
export function ambiguousSql({ spec, names }: MergeShape): string | undefined {
  const clauses = spec.matched ?? [];
  const onlyDeletes =
    clauses.length === 1 &&
    clauses[0] !== undefined &&
    !isUpdate(clauses[0]) &&
    clauses[0].when === undefined;
  if (clauses.length === 0 || onlyDeletes) return undefined;
  return `WITH _twice AS (SELECT min(${SOURCE_ROW}) AS place, count(*) AS found FROM ${names.matched} WHERE ${CLAUSE} >= 0
      GROUP BY ${FILE}, ${ROW} HAVING count(*) > 1 LIMIT 1)
    SELECT found, (SELECT to_json(_ingot_row)::VARCHAR FROM (SELECT * EXCLUDE (${SOURCE_ROW}) FROM ${names.source}
      WHERE ${SOURCE_ROW} = (SELECT place FROM _twice)) AS _ingot_row) AS row FROM _twice`;
}

function kindSql(clauses: readonly RowClause[]): string {
  const updates = clauses.flatMap((clause, i) => (isUpdate(clause) ? [i] : []));
  if (updates.length === 0) return "'delete'";
  return `CASE WHEN ${CLAUSE} IN (${updates.join(", ")}) THEN 'update' ELSE 'delete' END`;
}

/** The number of the first clause that applies. */
function chooseSql(clauses: readonly { readonly when?: string }[]): string {
  if (clauses.length === 0) return "-1";
  if (clauses[0]?.when === undefined) return "0";
  const whens = clauses.map((clause, i) => `WHEN (${clause.when ?? "true"}\n) THEN ${i}`);
  return `CASE ${whens.join(" ")} ELSE -1 END`;
}

/** The row as an update makes it: one column `_ingot_value_N` for each of the table's. */
function becomesSql(shape: MergeShape, clauses: readonly RowClause[]): string[] {
  if (!clauses.some(isUpdate)) return [];
  return shape.after.fields.map((f, i) => {
    const former = findField(shape.before, f.name) === undefined ? "NULL" : `target.${identifier(f.name)}`;
    const values = clauses.map((clause) =>
      isUpdate(clause) ? valueSql(shape, clause.update, f.name, former) : "NULL",
    );
    return `${caseSql(clauses, values)}::${duckdbType(f.type)} AS _ingot_value_${i}`;
  });
}

/** The value that the deciding clause gives; clauses that do not decide are not evaluated. */
function caseSql(clauses: readonly (RowClause | InsertClause)[], values: readonly string[]): string {
  const [first = "NULL"] = values;
  // What cannot fail may be evaluated for rows that no clause is about.
  const isHarmless = PLAIN.test(first) || first === "NULL";
  if (clauses[0]?.when === undefined) return `(${first}\n)`;
  if (isHarmless && values.every((value) => value === first)) return `(${first}\n)`;
  const whens = clauses.map((clause, i) => `WHEN (${clause.when ?? "true"}\n) THEN (${values[i]}\n)`);
  return `(CASE ${whens.join(" ")} END)`;
}

function valueSql(
  { after, source }: MergeShape,
  values: MergeValues,
  column: string,
  otherwise: string,
): string {
  if (values === "all") {
    const namesake = source.find((name) => name.toLowerCase() === column.toLowerCase());
    return namesake === undefined ? otherwise : `source.${identifier(namesake)}`;
  }
  for (const [name, sql] of Object.entries(values))
    if (existingField(after, name).name === column) return sql;
  return otherwise;
}
