/** Stages rows of a source table that a binary COPY sends: the way that most rows take. */
import { setTimeout as delay } from "node:timers/promises";
import type pg from "pg";
import {
  type Constants,
  type Enumerations,
  joinStaged,
  type Staged,
} from "../../../lakehouse/delta/stage.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import { META } from "../../definition/bronze-columns.ts";
import { LONGEST_ROW, readingCsv } from "../csv.ts";
import { checkCount } from "../full-load.ts";
import { BinaryCopy, RowTooLong } from "../postgres/binary/binary-copy.ts";
import { type ColumnValues, NoPlace } from "../postgres/binary/column-values.ts";
import { TRANSACTION, wireOf } from "../postgres/binary/wire.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import type { CopyOptions } from "../postgres/copy.ts";
import { readError } from "../postgres/read-error.ts";
import type { SourceMoment } from "../postgres/snapshot.ts";
import { fullTransactionId } from "../rows.ts";
import { bronzeSchema, type CopyShape, sourceName } from "../schema.ts";
import { type Range, rangeSql } from "./ranges.ts";
import { Spool, type SpooledFile, type SpoolFolder } from "./spool.ts";

export interface RangeToStage {
  readonly shape: CopyShape;
  readonly range: Range;
  readonly moment: SourceMoment;
  readonly folder: SpoolFolder;
  /** Of the table, as `binaryFields` gives them. One range after the other fills them. */
  readonly fields: readonly BinaryField[];
}

/** Stages the rows of a range as read rows. A row that cannot go this way is an error that `isMisread` knows. */
export async function stageBinary(
  client: pg.Client,
  session: Session,
  target: DeltaTable,
  { shape, range, moment, folder, fields }: RangeToStage,
  { onArrival = () => {}, rate }: CopyOptions,
): Promise<{ readonly staged: Staged; readonly bytes: number }> {
  const { table } = shape;
  const parts: Staged[] = [];
  const spool = new Spool(
    folder,
    fields.map(({ values }) => values),
    async (file) => {
      const sql = `SELECT ${fields.map(({ value }) => value).join(", ")} FROM ${fileSql(file, fields)}`;
      const options = {
        constants: constantsOf(shape, moment),
        enumerations: enumerationsOf(file, fields),
        dictionary: file.dictionary,
      };
      parts.push(await readingCsv(table, () => target.stage(session, sql, bronzeSchema(table), options)));
    },
  );
  let [bytes, rows] = [0, 0];
  const query = rangeSql(sourceName(table), fields.map(({ select }) => select).join(", "), range);
  try {
    const copy = new BinaryCopy(`COPY (${query}) TO STDOUT (FORMAT binary)`, {
      columns: fields.length,
      longestRow: LONGEST_ROW,
      onRows: (batch) => {
        bytes += batch.size;
        rows += batch.rows;
        onArrival(bytes, rows);
        const wait = rate?.take(batch.size) ?? 0;
        const waits = spool.take(batch);
        return wait === 0 ? waits : Promise.all([waits, delay(wait)]).then(() => {});
      },
    });
    client.query(copy);
    const sent = await copy.ended;
    await spool.end();
    const staged = joinStaged(parts);
    checkCount(table, sent, staged.rows);
    return { staged, bytes };
  } catch (error) {
    await spool.abandon();
    await target.discard(joinStaged(parts));
    throw error instanceof NoPlace || error instanceof RowTooLong ? misread(table) : readError(error);
  }
}

/** A column on its way. */
export interface BinaryField {
  readonly name: string;
  readonly select: string;
  /** With buffers that grow to what a row group needs: new ones for each range would cost more than filling them. */
  readonly values: ColumnValues;
  /** Of a SELECT over the file's columns by their names here. */
  readonly value: string;
}

/** With more columns a table is wide. */
const WIDE = 64;

/** The columns of a table, and the ids of transactions where they are wanted. */
export function binaryFields({ table, withTransaction }: CopyShape, moment: SourceMoment): BinaryField[] {
  const isWide = table.columns.length > WIDE;
  const fields: BinaryField[] = table.columns.map((column) => {
    const { select, values, value } = wireOf(column, isWide);
    const { name } = column;
    return { name, select, values: values(), value: `${value} AS ${identifier(name)}` };
  });
  if (withTransaction) {
    const { select, values } = TRANSACTION;
    const name = META.transaction;
    fields.push({ name, select, values: values(), value: `${fullTransactionId(moment)} AS ${name}` });
  }
  return fields;
}

/** The rows of a file under the names of the source. */
function fileSql({ path, rows, columns }: SpooledFile, fields: readonly BinaryField[]): string {
  const values = columns.map(({ sql }, i) => `${sql} AS ${identifier(fields[i]?.name ?? "")}`);
  return `(SELECT ${values.join(", ")} FROM read_parquet(${literal(path)}, explicit_cardinality = ${rows}))`;
}

function enumerationsOf({ columns }: SpooledFile, fields: readonly BinaryField[]): Enumerations {
  return new Map(columns.flatMap(({ texts }, i) => (texts ? [[fields[i]?.name ?? "", texts] as const] : [])));
}

/** What is the same in all rows. */
function constantsOf({ withTransaction }: CopyShape, moment: SourceMoment): Constants {
  const constants: [string, string | number | null][] = [
    [META.operation, "r"],
    [META.lsn, moment.lsn],
    [META.sequence, 0],
    [META.committedAt, null],
    [META.ingestedAt, moment.at],
    [META.rescued, null],
  ];
  if (!withTransaction) constants.push([META.transaction, null]);
  return new Map(constants);
}

/** Rows of which one cannot be taken as it is; they are read again with more care. */
const misread = ({ schema, name }: TableDescription) =>
  new TerminalError(`${schema}.${name} holds a row that cannot be read`, {
    code: "COPY_VALUE",
    value: "a value without place in its column, or a long row",
    allowed: "what docs/types.md names",
    next: "Nothing was committed. Correct the row at the source, or leave the table out for now.",
  });
