/** Rows of a source table, as one moment shows them, on their way into bronze. */
import type pg from "pg";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { TransientError } from "../../lakehouse/errors.ts";
import { csvSql, type LongestRow, type ReadMode, readingCsv } from "./csv.ts";
import { readingKeys } from "./key-values.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import { type CopyOptions, copyThroughFifo } from "./postgres/copy.ts";
import type { SourceMoment } from "./postgres/snapshot.ts";
import { changesSql } from "./rows.ts";
import { bronzeSchema, type CopyShape, copyFields } from "./schema.ts";

export interface RowsToStage {
  readonly shape: CopyShape;
  /** SELECT of the shape's columns, for the source. */
  readonly query: string;
  readonly moment: SourceMoment;
  readonly reading: Reading;
}

/** One way to read a CSV. */
export interface Reading {
  readonly mode: ReadMode;
  readonly longestRow?: LongestRow;
  /** What made the ways before it fail, for progress. */
  readonly note?: string;
}

/** Ways to read a CSV, the fastest first; rows that one cannot read are read again in the next. */
export const READINGS: readonly [Reading, ...Reading[]] = [
  { mode: "fast" },
  { mode: "careful", note: "values without place: reading each as text" },
  { mode: "careful", longestRow: "memory", note: "very long rows" },
];

/** Stages the rows of a query as read rows. */
export async function stageRows(
  client: pg.Client,
  session: Session,
  target: DeltaTable,
  { shape, query, moment, reading }: RowsToStage,
  options: CopyOptions,
): Promise<{ staged: Staged; bytes: number }> {
  const { table } = shape;
  const { mode, note: _note, ...csv } = reading;
  const copied = await copyThroughFifo(
    client,
    query,
    (fifo) =>
      readingKeys(table, () =>
        readingCsv(
          table,
          () =>
            target.stage(
              session,
              changesSql(shape, csvSql(copyFields(shape, mode), fifo, csv), moment, "r", mode),
              bronzeSchema(table),
            ),
          csv,
        ),
      ),
    options,
  );
  try {
    checkCount(table, copied.rows, copied.result.rows);
  } catch (error) {
    await target.discard(copied.result);
    throw error;
  }
  return { staged: copied.result, bytes: copied.bytes };
}

/** A connection that dies looks to the reader like the end of the rows; the two counts tell. */
export function checkCount(table: TableDescription, sent: number, received: number): void {
  if (sent === received) return;
  throw new TransientError(`${table.schema}.${table.name}: Postgres sent ${sent} rows, ${received} arrived`, {
    code: "COPY_INCOMPLETE",
    value: received,
    allowed: String(sent),
    next: "Nothing was committed. Run the same command again.",
  });
}
