/**
 * Z-order in SQL: the ranks of several columns, as buckets of equal numbers of rows, with their bits interleaved.
 * Rows with neighbouring values lie near each other whichever of the columns is looked at.
 */
import type { Session } from "../../duckdb/duckdb.ts";
import { identifier, literal } from "../../duckdb/quote.ts";
import { duckdbType, type StructField } from "../schema.ts";

/** Rows from which buckets are estimated. */
const SAMPLE_ROWS = 100_000;
/** Buckets of a column are counted with at most so many bits; all columns together must fit 63. */
const MOST_BITS = 8;
/** Texts tell buckets apart by their beginnings. */
const TEXT_LENGTH = 32;

/** Columns that may order a table: primitives that stand in its files. */
export function isOrderable({ type }: StructField): boolean {
  return typeof type === "string" && type !== "variant";
}

/** A sample of the values of some columns, as a relation of the session under the given, quoted name. */
export async function sampleColumns(
  session: Session,
  sql: string,
  columns: readonly StructField[],
  relation: string,
): Promise<void> {
  const names = columns.map((f) => identifier(f.name)).join(", ");
  await session.run(
    `CREATE OR REPLACE TABLE ${relation} AS SELECT * FROM (SELECT ${names} FROM (${sql}\n)) USING SAMPLE reservoir(${SAMPLE_ROWS} ROWS)`,
  );
}

/** Bits of a rank, so that those of all columns fit a BIGINT. */
function rankBits(columns: number): number {
  return Math.max(1, Math.min(MOST_BITS, Math.floor(62 / columns)));
}

/** SQL of the rank (BIGINT) of a row by each column, from a sample of the rows. NULL ranks below all values. */
export async function rankSqls(
  session: Session,
  sample: string,
  columns: readonly StructField[],
): Promise<string[]> {
  const ranks: string[] = [];
  for (const column of columns) {
    const limits = await bucketLimits(session, sample, column, 2 ** rankBits(columns.length) - 1);
    const name = identifier(column.name);
    ranks.push(`(CASE WHEN ${name} IS NULL THEN 0 ELSE ${searchSql(name, limits, 1)} END)::BIGINT`);
  }
  return ranks;
}

/** SQL of the z-value (BIGINT) of a row: the highest bits of all its ranks first, then the next ones. */
export function zValueSql(ranks: readonly string[]): string {
  const bits = rankBits(ranks.length);
  const parts = ranks.flatMap((rank, i) =>
    Array.from(
      { length: bits },
      (_, bit) => `(((${rank} >> ${bit}) & 1) << ${bit * ranks.length + (ranks.length - 1 - i)})`,
    ),
  );
  return parts.join(" + ");
}

/** Values that part the column's sample into buckets, as SQL, ascending. */
async function bucketLimits(
  session: Session,
  sample: string,
  column: StructField,
  count: number,
): Promise<string[]> {
  const name = identifier(column.name);
  const { text, sql } = limitText(column);
  const rows = await session.rows(
    `SELECT ${text("max(v)")} AS bound FROM (SELECT ${name} AS v, ntile(${count + 1}) OVER (ORDER BY ${name}) AS part FROM ${sample} WHERE ${name} IS NOT NULL) GROUP BY part ORDER BY max(v)`,
  );
  return [
    ...new Set(rows.slice(0, -1).flatMap((row) => (typeof row.bound === "string" ? sql(row.bound) : []))),
  ];
}

/** How a value leaves DuckDB as text and comes back as SQL. Limits need not be exact, only in order. */
function limitText({ type }: StructField) {
  const cast = duckdbType(type);
  // Texts may hold any character, such as zero, that a statement cannot.
  if (type === "string") {
    return {
      text: (v: string) => `hex(encode(left(${v}, ${TEXT_LENGTH})))`,
      sql: (hex: string) => `decode(unhex(${literal(hex)}))`,
    };
  }
  if (type === "binary") {
    return {
      text: (v: string) => `left(hex(${v}), ${2 * TEXT_LENGTH})`,
      sql: (hex: string) => `unhex(${literal(hex)})`,
    };
  }
  return { text: (v: string) => `${v}::VARCHAR`, sql: (text: string) => `${literal(text)}::${cast}` };
}

/** How many of the limits a value lies beyond, counted from `first`: a binary search. */
function searchSql(name: string, limits: readonly string[], first: number): string {
  const middle = Math.floor(limits.length / 2);
  const limit = limits[middle];
  if (limit === undefined) return String(first);
  const beyond = searchSql(name, limits.slice(middle + 1), first + middle + 1);
  return `CASE WHEN ${name} > ${limit} THEN ${beyond} ELSE ${searchSql(name, limits.slice(0, middle), first)} END`;
}
