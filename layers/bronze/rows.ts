/** Rows as Postgres printed them, as rows of bronze. */
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { type ChangeOperation, META } from "../definition/bronze-columns.ts";
import { type ReadMode, valuesSql } from "./csv.ts";
import { withKeyChecks } from "./key-values.ts";
import type { SourceMoment } from "./postgres/snapshot.ts";
import type { CopyShape } from "./schema.ts";

/** Rows in the fields of the CSV, read in that mode, as rows of bronze. */
export function changesSql(
  { table, withTransaction }: CopyShape,
  source: string,
  moment: SourceMoment,
  operation: ChangeOperation,
  mode: ReadMode = "fast",
): string {
  return `SELECT ${valuesSql(withKeyChecks(table.columns, table.key, mode), mode)}, '${operation}' AS ${META.operation}, ${moment.lsn} AS ${META.lsn}, 0 AS ${META.sequence},
    ${withTransaction ? fullTransactionId(moment) : "NULL::BIGINT"} AS ${META.transaction}, NULL::TIMESTAMPTZ AS ${META.committedAt},
    TIMESTAMPTZ ${literal(moment.at)} AS ${META.ingestedAt}
    FROM ${source}`;
}

/** SQL of a row's transaction over its xmin. That has 32 bits; the rest is the newest epoch that keeps it before the snapshot's end. */
export function fullTransactionId(moment: SourceMoment): string {
  const epoch = moment.xmax - (moment.xmax % 2n ** 32n);
  const column = META.transaction;
  return `(${column} + CASE WHEN ${column} + ${epoch} < ${moment.xmax} OR ${epoch} = 0 THEN ${epoch} ELSE ${epoch - 2n ** 32n} END)`;
}
