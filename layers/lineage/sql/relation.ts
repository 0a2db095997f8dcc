/** A relation of a query: a table, a subquery, a CTE; its columns with where they come from. */
import { type Origins, ROWS, through, unite } from "../origin.ts";

export interface RelationColumn {
  /** Empty where the query gives it none. */
  readonly name: string;
  readonly origins: Origins;
}

export interface Relation {
  readonly columns: readonly RelationColumn[];
  /** Columns that are there for those who name them, and in no `*`. */
  readonly hidden?: readonly RelationColumn[];
  /** Origins of a column that `columns` does not name; absent where `columns` is all there is. */
  readonly others?: ((name: string) => Origins) | undefined;
  /** What decides which rows there are. */
  readonly rows: Origins;
  /** Tables whose rows it is made of, as origins of a number of rows. */
  readonly tables: Origins;
}

export const EMPTY: Relation = { columns: [], rows: [], tables: [] };

/** Names in SQL are the same whatever their case. */
export const sameName = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** A table of a layer. Where its columns are not known, it has every column that it is asked for. */
export function tableRelation(
  table: string,
  columns: readonly string[] | undefined,
  hidden: readonly string[] = [],
): Relation {
  const origins = (column: string): Origins => [{ table, column, how: "identity" }];
  const named = (names: readonly string[]) => names.map((name) => ({ name, origins: origins(name) }));
  return {
    columns: named(columns ?? []),
    hidden: named(hidden),
    others: columns === undefined ? origins : undefined,
    rows: [],
    tables: [{ table, column: ROWS, how: "aggregation" }],
  };
}

/** Origins of a column; undefined where the relation does not list it. */
export function columnOf(relation: Relation, name: string): Origins | undefined {
  const called = (column: RelationColumn) => sameName(column.name, name);
  return (relation.columns.find(called) ?? relation.hidden?.find(called))?.origins;
}

/** As `WITH t(a, b) AS …` and `FROM … AS t(a, b)` do: new names for columns from the left. */
export function renamed(relation: Relation, names: readonly string[]): Relation {
  if (names.length === 0) return relation;
  const { columns, others } = relation;
  return {
    ...relation,
    columns: [
      ...names.map((name, i) => ({ name, origins: columns[i]?.origins ?? others?.(name) ?? [] })),
      ...columns.slice(names.length),
    ],
  };
}

/** `UNION`, `EXCEPT`, `INTERSECT`: columns by position, or by name. */
export function combined(left: Relation, right: Relation, by: "position" | "name"): Relation {
  const partner = (column: RelationColumn, i: number) =>
    by === "name" ? columnOf(right, column.name) : right.columns[i]?.origins;
  const columns = left.columns.map((column, i) => ({
    name: column.name,
    origins: unite(column.origins, partner(column, i) ?? right.others?.(column.name) ?? []),
  }));
  if (by === "name") {
    columns.push(...right.columns.filter(({ name }) => columnOf(left, name) === undefined));
  }
  const open = left.others !== undefined || right.others !== undefined;
  return {
    columns,
    others: open ? (name) => unite(anyColumn(left, name), anyColumn(right, name)) : undefined,
    rows: unite(left.rows, right.rows),
    tables: unite(left.tables, right.tables),
  };
}

const anyColumn = (relation: Relation, name: string): Origins =>
  columnOf(relation, name) ?? relation.others?.(name) ?? [];

/** All that a relation's columns come from. */
export const allOrigins = (relation: Relation): Origins =>
  unite(...relation.columns.map((column) => column.origins));

/** A relation whose rows are also told apart, or chosen, by all of its columns: `DISTINCT`. */
export const distinct = (relation: Relation): Relation => ({
  ...relation,
  rows: unite(relation.rows, through("group_by", allOrigins(relation))),
});
