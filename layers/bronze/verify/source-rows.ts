/** Rows of the source in a table of the session, in bronze's columns. */
import { duckdbType } from "../../../lakehouse/delta/schema.ts";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import { META } from "../../definition/bronze-columns.ts";
import { planDrift } from "../capture/drift.ts";
import { type CsvOptions, csvSql, isMisread, readingCsv, valuesSql } from "../csv.ts";
import { checkCount } from "../full-load.ts";
import { copyThroughFifo } from "../postgres/copy.ts";
import { copyFields, sourceColumns, sourceName } from "../schema.ts";
import { rowText } from "./canonical.ts";
import type { Comparison } from "./comparison.ts";

/** Column with the digest of a row. */
export const DIGEST = "_ingot_digest";

/** The hash of a row's text, by which two rows are compared where both are at hand. */
export const rowDigest = ({ columns }: Comparison): string => `md5(${rowText(columns.columns)})`;

/**
 * Reads the rows under a condition into `source_part`: bronze's columns, what is rescued, and the digest of a row. Values of columns that bronze does not have are among the rescued ones. Answers the bytes that came.
 */
export async function readSourceRows(work: Comparison, where: string): Promise<number> {
  try {
    return await read(work, where, {});
  } catch (error) {
    if (!isMisread(error)) throw error;
    return await read(work, where, { longestRow: "memory" });
  }
}

async function read(work: Comparison, where: string, csv: CsvOptions): Promise<number> {
  const { table, session, readers } = work;
  const shape = { table, withTransaction: false };
  const { rate } = readers.ingestion;
  const copied = await readers.run((client) =>
    copyThroughFifo(
      client,
      `SELECT ${sourceColumns(shape)} FROM ${sourceName(table)} WHERE ${where}`,
      (fifo) =>
        readingCsv(
          table,
          () => session.run(sourcePartSql(work, csvSql(copyFields(shape, "careful"), fifo, csv))),
          csv,
        ),
      { rate },
    ),
  );
  const [counted] = await session.rows("SELECT count(*) AS rows FROM source_part");
  checkCount(table, copied.rows, Number(counted?.rows));
  return copied.bytes;
}

function sourcePartSql(work: Comparison, csv: string): string {
  const { table, base, columns } = work;
  const plan = planDrift(base.schema, undefined, table.columns, "quarantine").columns;
  const placed = new Set(plan.filter(({ hasPlace }) => hasPlace).map(({ name }) => name));
  const values = columns.fields.map(({ name, type }) =>
    placed.has(name) ? identifier(name) : `NULL::${duckdbType(type)} AS ${identifier(name)}`,
  );
  return `CREATE OR REPLACE TABLE source_part AS
    SELECT *, ${rowDigest(work)} AS ${DIGEST}
      FROM (SELECT ${[...values, META.rescued].join(", ")} FROM (SELECT ${valuesSql(plan, "careful")} FROM ${csv}))`;
}
