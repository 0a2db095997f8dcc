/** Compares a table range by range, by counts and sums of hashes. No row leaves the source. */

import pLimit from "p-limit";
import { duckdbType } from "../../../lakehouse/delta/schema.ts";
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import { currentStateSql } from "../../definition/bronze-state.ts";
import { readersOf } from "../ingestion.ts";
import { lakeHash } from "./canonical.ts";
import {
  allLakeSums,
  bucketsFor,
  countRows,
  differingBuckets,
  lakeSums,
  type RangeSums,
  sourceSums,
} from "./checksums.ts";
import type { ComparedRange, ComparedRanges, Comparison } from "./comparison.ts";
import { type RangeColumn, rangeColumn } from "./key-order.ts";
import { chooseRanges, type KeyRange, sourceCondition, WHOLE } from "./ranges.ts";
import { cutAtSource, extendRanges } from "./source-bounds.ts";
import { tookTooLong } from "./source-readers.ts";

/** The rows that bronze says the source had. */
export function lakeState({ table, columns, changes }: Comparison): string {
  const names = columns.fields.map(({ name }) => name);
  return currentStateSql(changes, table.key, names);
}

/** Compares all ranges of the table; ranges that take the source too long are divided. */
export async function compareRanges(work: Comparison): Promise<ComparedRanges> {
  const { session, table, columns, readers, rangeRows } = work;
  const types = new Map(columns.columns.map(({ name, type }) => [name, type]));
  const column = await readers.run((client) => rangeColumn(client, table, types));
  const key = column === undefined ? "NULL::BIGINT" : identifier(column.name);
  await session.run(
    `CREATE OR REPLACE TABLE lake_rows AS SELECT _ingot_key AS k, _ingot_hash AS h
       FROM (SELECT ${key} AS _ingot_key, ${lakeHash(columns.columns)} AS _ingot_hash FROM (${lakeState(work)}))`,
  );
  const [counted] = await session.rows("SELECT count(*) AS rows FROM lake_rows");
  const rows = Number(counted?.rows);
  const chosen = column === undefined ? [WHOLE] : await chooseRanges(session, rows, rangeRows);
  const ranges = column === undefined ? chosen : await extended(work, column, chosen);
  const buckets = ranges.length > 1 ? bucketsFor(1, 1) : bucketsFor(rows, rangeRows);
  const sums = await sumsOf(work, column, ranges, buckets);

  let [seen, failed] = [0, false];
  const limit = pLimit(readersOf(readers.ingestion));
  const settled = await Promise.allSettled(
    ranges.map((range, i) =>
      limit(async () => {
        try {
          const parts = failed ? [] : await compareRange(work, column, range, sums[i] ?? new Map(), buckets);
          seen += parts.reduce((all, part) => all + part.sourceRows, 0);
          work.onRows(seen, Math.max(rows, seen));
          return parts;
        } catch (error) {
          // The ranges that wait need not be asked for any more.
          failed = true;
          throw error;
        }
      }),
    ),
  );
  const failure = settled.find((outcome) => outcome.status === "rejected");
  if (failure) throw failure.reason;
  const compared = settled.flatMap((outcome) => (outcome.status === "fulfilled" ? outcome.value : []));
  return { column, buckets, ranges: compared };
}

/** Ranges for keys that the lake does not know of; where even that takes too long, they are divided when they do. */
async function extended(
  { table, readers, rangeRows }: Comparison,
  column: RangeColumn,
  ranges: readonly KeyRange[],
): Promise<readonly KeyRange[]> {
  try {
    return await readers.run((client) => extendRanges(client, table, column, ranges, rangeRows));
  } catch (error) {
    if (!tookTooLong(error)) throw error;
    return ranges;
  }
}

/** Puts the beginnings of ranges into the session's table `bounds`. */
export async function listBounds(
  { session }: Comparison,
  column: RangeColumn,
  ranges: readonly KeyRange[],
): Promise<void> {
  await session.run(`CREATE OR REPLACE TABLE bounds (k ${duckdbType(column.type)}, place INTEGER)`);
  const starts = ranges.flatMap(({ from }, place) =>
    from === undefined ? [] : [`(${literal(from)}, ${place})`],
  );
  if (starts.length > 0) await session.run(`INSERT INTO bounds VALUES ${starts.join(", ")}`);
}

async function sumsOf(
  work: Comparison,
  column: RangeColumn | undefined,
  ranges: readonly KeyRange[],
  buckets: number,
): Promise<readonly RangeSums[]> {
  const { session } = work;
  if (column === undefined || ranges.length === 1) return [await lakeSums(session, column, WHOLE, buckets)];
  await listBounds(work, column, ranges);
  return allLakeSums(session, ranges.length, buckets);
}

/** One range, or the parts that it had to be divided into. */
async function compareRange(
  work: Comparison,
  column: RangeColumn | undefined,
  range: KeyRange,
  lake: RangeSums,
  buckets: number,
): Promise<ComparedRange[]> {
  const { table, columns, readers, session, rangeRows } = work;
  const where = sourceCondition(column, range);
  try {
    const source = await readers.run((client) => sourceSums(client, table, columns.columns, where, buckets));
    const differing = differingBuckets(source, lake);
    return [
      {
        range,
        sourceRows: countRows(source),
        lakeRows: countRows(lake),
        buckets: differing.length > buckets / 8 ? "all" : differing,
      },
    ];
  } catch (error) {
    if (!tookTooLong(error)) throw error;
    const halves =
      column && (await readers.run((client) => cutAtSource(client, table, column, range, rangeRows)));
    if (column === undefined || halves === undefined) throw tooSlow(work, range);
    const parts: ComparedRange[] = [];
    for (const half of halves) {
      const sums = await lakeSums(session, column, half, buckets);
      parts.push(...(await compareRange(work, column, half, sums, buckets)));
    }
    return parts;
  }
}

function tooSlow({ table }: Comparison, { from, to }: KeyRange): TerminalError {
  return new TerminalError(
    `${table.schema}.${table.name} cannot be compared within the time of a statement`,
    {
      code: "VERIFY_TOO_SLOW",
      value:
        from === undefined && to === undefined
          ? "the whole table"
          : `keys from ${from ?? "the first"} to ${to ?? "the last"}`,
      allowed: "ranges of an indexed key that sorts alike in Postgres and in the lake, or a longer time",
      next: "Raise `limits.statementSeconds` of the source, or let --range-rows be less.",
    },
  );
}
