/** Random tables, statistics and conditions for the soundness of data skipping. */
import fc from "fast-check";
import { duckdbType, field, type StructField, type StructType } from "../../lakehouse/delta/schema.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { condition } from "./skip-conditions.ts";
import { type Column, typeName, valueSql } from "./skip-values.ts";

export interface Case {
  readonly columns: readonly Column[];
  /** SQL literals, one list for each row. */
  readonly rows: readonly (readonly string[])[];
  /** Top-level column that is a partition column, with all of its rows alike; undefined for none. */
  readonly partition: string | undefined;
  /** How the statistics are worn: cut texts, wider bounds, no bounds, without some keys. */
  readonly cut: number;
  readonly wide: boolean;
  readonly without: readonly boolean[];
  readonly conditions: readonly string[];
}

const NAMES = ["a", "b", "s", "Odd name", "select"];

const names = (maxLength: number) => fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength });

/** The column `s` is a struct of one field, the others are primitive. */
const columns: fc.Arbitrary<readonly Column[]> = fc
  .tuple(fc.oneof(names(1), names(1), names(3)), fc.array(typeName, { minLength: 3, maxLength: 3 }))
  .map(([names, types]) =>
    names.map((name, i) => ({ path: name === "s" ? ["s", "In Side"] : [name], type: types[i] ?? "long" })),
  );

export const cases: fc.Arbitrary<Case> = columns.chain((columns) => {
  const row = fc.tuple(
    ...columns.map((c) =>
      fc.oneof({ weight: 5, arbitrary: valueSql(c.type) }, { weight: 1, arbitrary: fc.constant("NULL") }),
    ),
  );
  const flat = columns.flatMap((c) => (c.path.length === 1 ? (c.path[0] ?? []) : []));
  return fc.record({
    columns: fc.constant(columns),
    rows: fc.array(row, { maxLength: 4 }),
    partition: fc.constantFrom(undefined, undefined, undefined, ...flat),
    cut: fc.constantFrom(1, 2, 100),
    wide: fc.boolean(),
    without: fc.array(
      fc.integer({ min: 0, max: 9 }).map((n) => n === 5),
      { minLength: 12, maxLength: 12 },
    ),
    conditions: fc.array(condition(columns), { minLength: 8, maxLength: 8 }),
  });
});

/** The schema of a case's columns. */
export function schemaOf(columns: readonly Column[]): StructType {
  const fields: StructField[] = columns.map(({ path: [first = "", second], type }) =>
    field(first, second === undefined ? type : { type: "struct", fields: [field(second, type)] }),
  );
  return { type: "struct", fields };
}

/** A query that gives the rows of a case; a partition column has the first row's value in all. */
export function rowsSql({ columns, rows, partition }: Case): string {
  const cell = (row: readonly string[], i: number) => {
    const column = columns[i];
    const [first = "", second] = column?.path ?? [];
    const from = first === partition ? (rows[0] ?? row) : row;
    const typed = `${from[i] ?? "NULL"}::${duckdbType(column?.type ?? "long")}`;
    // To the protocol an empty text is null where it partitions.
    const value = first === partition && column?.type === "string" ? `nullif(${typed}, '')` : typed;
    return `${second === undefined ? value : `struct_pack(${identifier(second)} := ${value})`} AS ${identifier(first)}`;
  };
  const select = (row: readonly string[]) => `SELECT ${columns.map((_, i) => cell(row, i)).join(", ")}`;
  if (rows.length === 0) return `${select([])} WHERE false`;
  return rows.map(select).join(" UNION ALL ");
}
