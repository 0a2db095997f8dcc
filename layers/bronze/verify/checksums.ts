/** Counts and sums of hashes of the rows of a range, in both engines. */
import type pg from "pg";
import { z } from "zod";
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import { sourceName } from "../schema.ts";
import { type ComparedColumn, sourceHash } from "./canonical.ts";
import type { RangeColumn } from "./key-order.ts";
import { type KeyRange, lakeCondition } from "./ranges.ts";

/** Of the rows whose hash falls into a bucket: how many there are, and the sum of their hashes. */
interface Sum {
  readonly rows: number;
  readonly sum: string;
}

/** By bucket; those without rows are not there. */
export type RangeSums = ReadonlyMap<number, Sum>;

const sumRow = z.object({
  bucket: z.coerce.number(),
  rows: z.coerce.number(),
  sum: z.coerce.string(),
});

/** A power of two: which low bits of a hash say its bucket. One difference has about `rangeRows / 64` rows read. */
export function bucketsFor(rows: number, rangeRows: number): number {
  const wanted = (rows / rangeRows) * 64;
  return 2 ** Math.min(16, Math.max(6, Math.ceil(Math.log2(Math.max(1, wanted)))));
}

/** One statement at the source. */
export async function sourceSums(
  client: pg.Client,
  table: TableDescription,
  columns: readonly ComparedColumn[],
  where: string,
  buckets: number,
): Promise<RangeSums> {
  // OFFSET keeps the hash from being computed again for every use of it.
  const hashes = `SELECT ${sourceHash(columns)} AS h FROM ${sourceName(table)} WHERE ${where} OFFSET 0`;
  const { rows } = await client.query(
    `SELECT (h & ${buckets - 1})::text AS bucket, count(*)::text AS rows, sum(h)::text AS sum FROM (${hashes}) AS hashed GROUP BY 1`,
  );
  return sumsOf(rows);
}

/** The same of `lake_rows`, a table of the session with key `k` and hash `h`. */
export async function lakeSums(
  session: Session,
  column: RangeColumn | undefined,
  range: KeyRange,
  buckets: number,
): Promise<RangeSums> {
  const where = column === undefined ? "true" : lakeCondition(column, range, "k");
  const rows = await session.rows(
    `SELECT h & ${buckets - 1} AS bucket, count(*) AS rows, sum(h)::VARCHAR AS sum FROM lake_rows WHERE ${where} GROUP BY 1`,
  );
  return sumsOf(rows.map((row) => ({ ...row, bucket: Number(row.bucket), rows: Number(row.rows) })));
}

/** All ranges in one pass. `bounds` is a table of the session with the beginnings of ranges and their places. */
export async function allLakeSums(session: Session, ranges: number, buckets: number): Promise<RangeSums[]> {
  const found: Map<number, Sum>[] = Array.from({ length: ranges }, () => new Map());
  const rows = await session.rows(
    `SELECT coalesce(place, 0) AS place, h & ${buckets - 1} AS bucket, count(*) AS rows, sum(h)::VARCHAR AS sum
       FROM lake_rows ASOF LEFT JOIN bounds ON lake_rows.k >= bounds.k GROUP BY ALL`,
  );
  for (const row of rows) {
    found[Number(row.place)]?.set(Number(row.bucket), { rows: Number(row.rows), sum: String(row.sum) });
  }
  return found;
}

/** Buckets in which two ranges differ. */
export function differingBuckets(a: RangeSums, b: RangeSums): number[] {
  const differs = (bucket: number) =>
    a.get(bucket)?.sum !== b.get(bucket)?.sum || a.get(bucket)?.rows !== b.get(bucket)?.rows;
  return [...new Set([...a.keys(), ...b.keys()])].filter(differs);
}

export const countRows = (sums: RangeSums): number =>
  [...sums.values()].reduce((all, { rows }) => all + rows, 0);

function sumsOf(rows: readonly unknown[]): RangeSums {
  return new Map(rows.map((row) => sumRow.parse(row)).map(({ bucket, ...sum }) => [bucket, sum]));
}
