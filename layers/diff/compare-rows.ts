/**
 * Compares two queries row by row: by key where there is one, in one pass of a full outer join, else by what rows hold.
 * DuckDB spills what does not fit; what comes back are counts and a few examples.
 */
import type { Row, Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { ComparedColumn, Side } from "./side.ts";

interface ColumnDifference {
  readonly column: string;
  /** Rows of which both sides have the key, with other values. */
  readonly rows: number;
  readonly examples: readonly {
    readonly key: string;
    readonly left: string | null;
    readonly right: string | null;
  }[];
}

/** What two sides have and have not in common. Examples are JSON by column. */
export interface RowDifferences {
  readonly leftRows: number;
  readonly rightRows: number;
  readonly same: number;
  /** Rows of which both sides have the key, with other values; 0 without a key. */
  readonly different: number;
  readonly onlyLeft: number;
  readonly onlyRight: number;
  readonly columns: readonly ColumnDifference[];
  readonly onlyLeftExamples: readonly string[];
  readonly onlyRightExamples: readonly string[];
}

export interface CompareOptions {
  readonly columns: readonly ComparedColumn[];
  readonly key: readonly string[];
  /** Examples of each kind. */
  readonly examples: number;
  /** Part of the keys that are compared, 0 to 1; the same keys of both sides. */
  readonly rate: number;
  /** Columns whose values are not shown. */
  readonly hidden: ReadonlySet<string>;
}

/** Compares the sides, in their columns. Throws `DIFF_KEY`, `DIFF_REPEATED_KEY`. */
export async function compareRows(
  session: Session,
  left: Side,
  right: Side,
  options: CompareOptions,
): Promise<RowDifferences> {
  const unknown = options.key.filter((name) => !options.columns.some((column) => column.name === name));
  if (unknown.length > 0) throw unknownKey(unknown, options.columns);
  await session.run(
    `CREATE OR REPLACE VIEW left_rows AS ${sideSql(left, options)};
     CREATE OR REPLACE VIEW right_rows AS ${sideSql(right, options)}`,
  );
  if (options.key.length === 0) return compareContents(session, options);
  for (const side of ["left", "right"] as const)
    await refuseRepeated(session, side === "left" ? left : right, `${side}_rows`, options.key);
  return compareKeys(session, options);
}

const SAMPLE_PARTS = 1_000_000;

/** The compared columns in the types in which they are compared; of the keys those that the sample takes. */
function sideSql({ sql }: Side, { columns, key, rate }: CompareOptions): string {
  const values = columns.map(
    ({ name, type }) => `CAST(${identifier(name)} AS ${type}) AS ${identifier(name)}`,
  );
  const typed = `SELECT ${values.join(", ") || "true AS nothing"} FROM (${sql}\n)`;
  if (rate >= 1) return typed;
  const sampled = key.length > 0 ? key : columns.map(({ name }) => name);
  const texts = sampled.map(
    (name) => `coalesce(length(${identifier(name)}::VARCHAR) || ':' || ${identifier(name)}::VARCHAR, '')`,
  );
  return `SELECT * FROM (${typed}) WHERE hash(concat_ws(',', ${texts.join(", ")})) % ${SAMPLE_PARTS} < ${Math.round(rate * SAMPLE_PARTS)}`;
}

async function compareKeys(
  session: Session,
  { columns, key, examples, hidden }: CompareOptions,
): Promise<RowDifferences> {
  const values = columns.filter(({ name }) => !key.includes(name));
  const differs = ({ name }: ComparedColumn) =>
    `l.${identifier(name)} IS DISTINCT FROM r.${identifier(name)}`;
  const on = key
    .map((name) => `l.${identifier(name)} IS NOT DISTINCT FROM r.${identifier(name)}`)
    .join(" AND ");
  // Marks stand at the end, where no column of a table can take their names.
  const [inLeft, inRight] = ["l._ingot_is_there", "r._ingot_is_there"];
  const both = `${inLeft} AND ${inRight}`;
  const any = values.map(differs).join(" OR ") || "false";
  const keys = `struct_pack(${key.map((name, i) => `k${i} := coalesce(l.${identifier(name)}, r.${identifier(name)})`).join(", ")})`;
  const shownKey = jsonOf(
    key.map((name) => [name, `coalesce(l.${identifier(name)}, r.${identifier(name)})`]),
    hidden,
  );
  const shownRow = (side: "l" | "r") =>
    jsonOf(
      columns.map(({ name }) => [name, `${side}.${identifier(name)}`]),
      hidden,
    );
  const text = (side: "l" | "r", name: string) =>
    hidden.has(name) ? literal(HIDDEN) : `${side}.${identifier(name)}::VARCHAR`;
  const first = (what: string, where: string) => `min_by(${what}, ${keys}, ${examples}) FILTER (${where})`;
  const select = [
    `count(*) FILTER (${inLeft}) AS left_rows`,
    `count(*) FILTER (${inRight}) AS right_rows`,
    `count(*) FILTER (${both} AND (${any})) AS different`,
    `count(*) FILTER (${inRight} IS NULL) AS only_left`,
    `count(*) FILTER (${inLeft} IS NULL) AS only_right`,
    ...values.map((column, i) => `count(*) FILTER (${both} AND ${differs(column)}) AS n${i}`),
    ...(examples === 0
      ? []
      : [
          `${first(shownRow("l"), `${inRight} IS NULL`)} AS left_examples`,
          `${first(shownRow("r"), `${inLeft} IS NULL`)} AS right_examples`,
          ...values.map((column, i) => {
            const { name } = column;
            const example = `struct_pack(key := ${shownKey}, "left" := ${text("l", name)}, "right" := ${text("r", name)})`;
            return `${first(example, `${both} AND ${differs(column)}`)} AS e${i}`;
          }),
        ]),
  ];
  const [row = {}] = await session.rows(
    `SELECT ${select.join(",\n")} FROM (SELECT *, true AS _ingot_is_there FROM left_rows) AS l
       FULL JOIN (SELECT *, true AS _ingot_is_there FROM right_rows) AS r ON ${on}`,
  );
  const [leftRows, onlyLeft, different] = [
    number(row.left_rows),
    number(row.only_left),
    number(row.different),
  ];
  return {
    leftRows,
    rightRows: number(row.right_rows),
    same: leftRows - onlyLeft - different,
    different,
    onlyLeft,
    onlyRight: number(row.only_right),
    columns: values.flatMap(({ name }, i) => {
      const rows = number(row[`n${i}`]);
      return rows === 0 ? [] : [{ column: name, rows, examples: examplesOf(row[`e${i}`]) }];
    }),
    onlyLeftExamples: textsOf(row.left_examples),
    onlyRightExamples: textsOf(row.right_examples),
  };
}

/** Without a key a row is what it holds, as often as it is there. */
async function compareContents(
  session: Session,
  { columns, examples, hidden }: CompareOptions,
): Promise<RowDifferences> {
  const names = columns.map(({ name }) => identifier(name));
  const list = names.join(", ") || "nothing";
  const shown = jsonOf(
    columns.map(({ name }) => [name, identifier(name)]),
    hidden,
  );
  await session.run(
    `CREATE OR REPLACE TABLE surplus AS
       SELECT ${list}, sum(_ingot_left)::BIGINT AS _ingot_left, sum(_ingot_right)::BIGINT AS _ingot_right
         FROM (SELECT *, 1 AS _ingot_left, 0 AS _ingot_right FROM left_rows
               UNION ALL SELECT *, 0, 1 FROM right_rows) GROUP BY ALL`,
  );
  const [row = {}] = await session.rows(
    `SELECT coalesce(sum(_ingot_left), 0) AS left_rows, coalesce(sum(_ingot_right), 0) AS right_rows,
            coalesce(sum(least(_ingot_left, _ingot_right)), 0) AS same FROM surplus`,
  );
  const some = async (more: string, less: string) => {
    const rows = await session.rows(
      `SELECT ${shown} AS example FROM surplus WHERE ${more} > ${less} ORDER BY ${list} LIMIT ${examples}`,
    );
    return rows.map(({ example }) => String(example));
  };
  const [leftRows, rightRows, same] = [number(row.left_rows), number(row.right_rows), number(row.same)];
  const found = {
    leftRows,
    rightRows,
    same,
    different: 0,
    onlyLeft: leftRows - same,
    onlyRight: rightRows - same,
    columns: [],
    onlyLeftExamples: await some("_ingot_left", "_ingot_right"),
    onlyRightExamples: await some("_ingot_right", "_ingot_left"),
  };
  await session.run("DROP TABLE surplus");
  return found;
}

const HIDDEN = "(hidden)";

/** JSON text of an object; values that are not shown are replaced. */
function jsonOf(
  members: readonly (readonly [name: string, value: string])[],
  hidden: ReadonlySet<string>,
): string {
  const pairs = members.map(
    ([name, value]) => `${literal(name)}, ${hidden.has(name) ? literal(HIDDEN) : value}`,
  );
  return `json_object(${pairs.join(", ")})::VARCHAR`;
}

async function refuseRepeated(
  session: Session,
  side: Side,
  rows: string,
  key: readonly string[],
): Promise<void> {
  const names = key.map((name) => identifier(name)).join(", ");
  const [found] = await session.rows(
    `SELECT count(*) AS keys, coalesce(sum(_ingot_rows), 0) AS rows
       FROM (SELECT count(*) AS _ingot_rows FROM ${rows} GROUP BY ${names} HAVING count(*) > 1)`,
  );
  if (number(found?.keys) === 0) return;
  throw new TerminalError(`${side.label} has several rows of one key`, {
    code: "DIFF_REPEATED_KEY",
    value: `${number(found?.rows)} rows of ${number(found?.keys)} keys (${key.join(", ")})`,
    allowed: "columns of which no two rows of a side have the same values",
    next: "Name other columns with --key, or none (--key '') to compare rows by what they hold.",
  });
}

function unknownKey(unknown: readonly string[], columns: readonly ComparedColumn[]): TerminalError {
  return new TerminalError(`the two sides have no column ${unknown.join(", ")} in common`, {
    code: "DIFF_KEY",
    value: unknown.join(", "),
    allowed: columns.map(({ name }) => name).join(", "),
    next: "Name the key with --key.",
  });
}

const number = (value: unknown): number => Number(value ?? 0);
const textsOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

function examplesOf(value: unknown): ColumnDifference["examples"] {
  const list: readonly Row[] = Array.isArray(value) ? value : [];
  const text = (one: unknown) => (one === null || one === undefined ? null : String(one));
  return list.map((one) => ({ key: String(one.key), left: text(one.left), right: text(one.right) }));
}
