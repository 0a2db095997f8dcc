/** The historical load of one table: everything that one moment of the source shows, in one commit. */

import type pg from "pg";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../lakehouse/duckdb/quote.ts";
import { TransientError } from "../../lakehouse/errors.ts";
import { type ChangeOperation, META } from "../definition/bronze-columns.ts";
import { csvSql, readingCsv } from "./csv.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import { copyThroughFifo } from "./postgres/copy.ts";
import type { SourceMoment } from "./postgres/snapshot.ts";
import { bronzeSchema, type CopyShape, sourceColumns, sourceName } from "./schema.ts";

/**
 * Stages all rows of the table as the client's snapshot shows them. With `parallel`, DuckDB parses several parts of
 * the CSV at once and guesses where in a part a row begins. Text with line breaks can lead it astray; it then finds
 * that the parts do not join and fails with `COPY_VALUE`, and the table has to be read again in one part.
 */
export async function stageFullLoad(
  client: pg.Client,
  session: Session,
  target: DeltaTable,
  table: TableDescription,
  moment: SourceMoment,
  parallel: boolean,
  onArrival: (bytes: number, rows: number) => void,
): Promise<{ staged: Staged; bytesRead: number }> {
  // Transaction ids tell a later sync which rows were seen here although others of their time were not. Where all
  // transactions before the snapshot's end had finished there are no such rows, and the source need not print ids.
  const shape = { table, withTransaction: moment.xmin !== moment.xmax };
  const copied = await copyThroughFifo(
    client,
    `SELECT ${sourceColumns(shape)} FROM ${sourceName(table)}`,
    (fifo) =>
      readingCsv(table, () =>
        target.stage(
          session,
          changesSql(shape, csvSql(shape, fifo, parallel), moment, "r"),
          bronzeSchema(table),
        ),
      ),
    onArrival,
  );
  checkCount(table, copied.rows, copied.result.rows);
  return { staged: copied.result, bytesRead: copied.bytes };
}

/** Rows in the columns of the CSV, as rows of bronze. */
export function changesSql(
  { table, withTransaction }: CopyShape,
  source: string,
  moment: SourceMoment,
  operation: ChangeOperation,
): string {
  const columns = table.columns.map((column) => `${column.read} AS ${identifier(column.name)}`);
  return `SELECT ${columns.join(", ")}, '${operation}' AS ${META.operation}, ${moment.lsn} AS ${META.lsn},
    ${withTransaction ? fullTransactionId(moment) : "NULL::BIGINT"} AS ${META.transaction}, TIMESTAMPTZ ${literal(moment.at)} AS ${META.ingestedAt}
    FROM ${source}`;
}

/** xmin has 32 bits; the rest is the newest epoch that keeps it before the snapshot's end. */
function fullTransactionId(moment: SourceMoment): string {
  const epoch = moment.xmax - (moment.xmax % 2n ** 32n);
  const column = META.transaction;
  return `(${column} + CASE WHEN ${column} + ${epoch} < ${moment.xmax} OR ${epoch} = 0 THEN ${epoch} ELSE ${epoch - 2n ** 32n} END)`;
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
