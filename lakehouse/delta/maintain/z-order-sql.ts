/**
 * Z-order in SQL: the ranks of several columns, as buckets of equal numbers of rows, with their bits interleaved.
 * Rows with neighbouring values lie near each other whichever of the columns is looked at.
 */
import type { Row, Session } from "../../duckdb/duckdb.ts";
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
  return typeof type === "string";
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

/** SQL of the z-value (BIGINT) of a row, from a sample of the rows. NULL ranks below all values. */
export async function zValueSql(
  session: Session,
  sample: string,
  columns: readonly StructField[],
): Promise<string> {
  const bits = Math.max(1, Math.min(MOST_BITS, Math.floor(62 / columns.length)));
  const ranks: string[] = [];
  for (const column of columns) {
    const limits = await bucketLimits(session, sample, column, 2 ** bits - 1);
    const name = identifier(column.name);
    ranks.push(`CASE WHEN ${name} IS NULL THEN 0 ELSE ${rankSql(name, limits, 1)} END::BIGINT`);
  }
  return interleaved(ranks, bits);
}

/** The z-values that part the sample into `count` buckets of equal size, ascending, without repetitions. */
export async function zLimits(
  session: Session,
  sample: string,
  zValue: string,
  count: number,
): Promise<number[]> {
  const rows = await session.rows(
    `SELECT max(_z)::DOUBLE AS z FROM (SELECT _z, ntile(${count}) OVER (ORDER BY _z) AS _part FROM (SELECT ${zValue} AS _z FROM ${sample})) GROUP BY _part ORDER BY 1`,
  );
  return [...new Set(rows.slice(0, -1).map(({ z }) => Number(z)))];
}

/** SQL of the index of the bucket that a z-value falls into; each limit is the last value of its bucket. */
export function bucketSql(zValue: string, limits: readonly number[]): string {
  // A binary search, as deep as the logarithm of the number of buckets.
  return searchSql(limits, 0, (limit) => `${zValue} > ${limit}`);
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
    ...new Set(
      rows.slice(0, -1).flatMap((row: Row) => (typeof row.bound === "string" ? sql(row.bound) : [])),
    ),
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

function rankSql(name: string, limits: readonly string[], first: number): string {
  return searchSql(limits, first, (limit) => `${name} > ${limit}`);
}

function searchSql<T>(limits: readonly T[], first: number, isBeyond: (limit: T) => string): string {
  const middle = Math.floor(limits.length / 2);
  const limit = limits[middle];
  if (limit === undefined) return String(first);
  const beyond = searchSql(limits.slice(middle + 1), first + middle + 1, isBeyond);
  return `CASE WHEN ${isBeyond(limit)} THEN ${beyond} ELSE ${searchSql(limits.slice(0, middle), first, isBeyond)} END`;
}

/** The highest bits of all ranks first, then the next ones. One column keeps its rank. */
function interleaved(ranks: readonly string[], bits: number): string {
  if (ranks.length === 1) return ranks.join();
  const names = ranks.map((_, i) => `_r[${i + 1}]`);
  const parts = names.flatMap((rank, i) =>
    Array.from(
      { length: bits },
      (_, bit) => `(((${rank} >> ${bit}) & 1) << ${bit * ranks.length + (ranks.length - 1 - i)})`,
    ),
  );
  // The list is computed once, by the one call whose argument it is.
  return `list_transform([[${ranks.join(", ")}]], lambda _r : ${parts.join(" + ")})[1]`;
}
