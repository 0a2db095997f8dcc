/** Bounds of ranges that the source is asked for, by the index of its key. */
import type pg from "pg";
import { z } from "zod";
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import { sourceName } from "../schema.ts";
import type { RangeColumn } from "./key-order.ts";
import { type KeyRange, sourceCondition } from "./ranges.ts";

const boundRow = z.object({ bound: z.string() });

/** The key that `rows` rows of the source lie before, within a range and behind its beginning; undefined if there are fewer. */
async function boundAfter(
  client: pg.Client,
  table: TableDescription,
  column: RangeColumn,
  range: KeyRange,
  rows: number,
): Promise<string | undefined> {
  const name = identifier(column.name);
  const behind = range.from === undefined ? `${name} IS NOT NULL` : `${name} > ${literal(range.from)}`;
  const before = sourceCondition({ ...column, mayBeNull: false }, { from: undefined, to: range.to });
  const { rows: found } = await client.query(
    `SELECT ${name}::text AS bound FROM ${sourceName(table)} WHERE ${behind} AND ${before} ORDER BY ${name} OFFSET ${rows} LIMIT 1`,
  );
  return found.length === 0 ? undefined : boundRow.parse(found[0]).bound;
}

/** The last, open range of the lake's keys, in parts where the source has gone far beyond it. */
export async function extendRanges(
  client: pg.Client,
  table: TableDescription,
  column: RangeColumn,
  ranges: readonly KeyRange[],
  rangeRows: number,
): Promise<KeyRange[]> {
  const extended = [...ranges];
  for (;;) {
    const last = extended.at(-1);
    if (last === undefined) return extended;
    // A little more than one range's rows are still one range's.
    const bound = await boundAfter(client, table, column, last, rangeRows * 2);
    const next = bound && (await boundAfter(client, table, column, last, rangeRows));
    if (next === undefined || next === "") return extended;
    extended.splice(-1, 1, { from: last.from, to: next }, { from: next, to: undefined });
  }
}

/** The middle of a range is looked for no farther than so many times the rows it was meant to have. */
const FARTHEST = 32;

/** A range in two, about in the middle as far as that is near; undefined where all of its rows have one key. */
export async function cutAtSource(
  client: pg.Client,
  table: TableDescription,
  column: RangeColumn,
  range: KeyRange,
  rangeRows: number,
): Promise<readonly [KeyRange, KeyRange] | undefined> {
  const boundAt = (count: number) => boundAfter(client, table, column, range, count);
  let rows = rangeRows;
  let bound = await boundAt(rows);
  while (bound === undefined && rows > 0) {
    rows = Math.floor(rows / 2);
    bound = await boundAt(rows);
  }
  // Where there are rows four times as far, the middle lies no nearer than twice as far.
  while (rows >= rangeRows && rows < rangeRows * FARTHEST && (await boundAt(rows * 4)) !== undefined) {
    rows *= 2;
    bound = await boundAt(rows);
  }
  if (bound === undefined) return undefined;
  return [
    { from: range.from, to: bound },
    { from: bound, to: range.to },
  ];
}
