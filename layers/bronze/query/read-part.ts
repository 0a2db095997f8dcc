/**
 * Reads rows of one source table into a table of the session, all of one moment: by one statement, or, where
 * statements have to be short, range by range of its blocks.
 */
import type pg from "pg";
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { codeOf } from "../../../lakehouse/errors.ts";
import { type CsvOptions, readingCsv } from "../csv.ts";
import { checkCount } from "../full-load.ts";
import { readingKeys } from "../key-values.ts";
import type { Extent } from "../load/extent.ts";
import { RANGE_BYTES, RangeSize } from "../load/range-size.ts";
import { isDivisible, type Range, rangeSql, Unread } from "../load/ranges.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import { type CopyOptions, copyThroughFifo } from "../postgres/copy.ts";
import { readError } from "../postgres/read-error.ts";
import { sourceName } from "../schema.ts";

/** A source table, and a connection in a transaction that holds its lock. */
export interface LockedTable {
  readonly client: pg.Client;
  readonly table: TableDescription;
  readonly extent: Extent;
  /** Seconds that one statement may take; undefined where it may take any time. */
  readonly statementSeconds: number | undefined;
}

/** What is read of it. */
export interface Part {
  /** Table of the session that gets the rows. */
  readonly name: string;
  /** Select list at the source. */
  readonly columns: string;
  /** The names in it and in the condition, and nothing else. */
  readonly names: string;
  readonly where: string;
  /** An index finds the rows: one statement looks for them, and only where that takes too long, several. */
  readonly indexed?: boolean;
  /** Relations whose rows meet the condition; all of the table's where absent. */
  readonly relations?: readonly string[];
  /** SELECT over the CSV file. */
  readonly select: (file: string) => string;
  readonly csv: CsvOptions;
}

/** Reads a part; answers the bytes that came. */
export async function readPart(
  source: LockedTable,
  session: Session,
  part: Part,
  options: CopyOptions,
): Promise<number> {
  const { client, statementSeconds } = source;
  const size = new RangeSize(RANGE_BYTES, statementSeconds);
  const queue = new Queue(source, part);
  let [bytes, rows] = [0, 0];
  for (let range = queue.next(size); range !== undefined; range = queue.next(size)) {
    const began = performance.now();
    const before = { bytes, rows };
    const onArrival = (b: number, r: number) => options.onArrival?.(before.bytes + b, before.rows + r);
    try {
      // Lock and moment outlast a statement that is ended.
      await client.query("SAVEPOINT ingot_range");
      const read = await readRange(source, session, part, range, { ...options, onArrival });
      await client.query("RELEASE SAVEPOINT ingot_range");
      await session.run(
        queue.isFirst
          ? `ALTER TABLE ingot_range RENAME TO ${part.name}`
          : `INSERT INTO ${part.name} FROM ingot_range`,
      );
      queue.done(range, size, performance.now() - began);
      bytes += read.bytes;
      rows += read.rows;
    } catch (cause) {
      const error = readError(cause);
      if (codeOf(error) !== "POSTGRES_STATEMENT_TIMEOUT" || !queue.divide(range, size)) throw error;
      await client.query("ROLLBACK TO SAVEPOINT ingot_range");
    }
  }
  return bytes;
}

/** Reads one range into the session's table `ingot_range`. */
async function readRange(
  { client, table }: LockedTable,
  session: Session,
  { columns, names, where, select, csv }: Part,
  range: Range,
  options: CopyOptions,
): Promise<{ readonly bytes: number; readonly rows: number }> {
  const rows =
    range.parts.length === 0 ? sourceName(table) : `(${rangeSql(sourceName(table), names, range)}) AS r`;
  const copied = await copyThroughFifo(
    client,
    `SELECT ${columns} FROM ${rows} WHERE ${where}`,
    (fifo) =>
      readingKeys(table, () =>
        readingCsv(table, () => session.run(`CREATE OR REPLACE TABLE ingot_range AS ${select(fifo)}`), csv),
      ),
    options,
  );
  const [counted] = await session.rows("SELECT count(*) AS rows FROM ingot_range");
  checkCount(table, copied.rows, Number(counted?.rows));
  return copied;
}

/** What is still to be read: all by one statement, or in ranges. */
class Queue {
  /** Whether nothing was read so far. */
  isFirst = true;
  private way: "whole" | "ranges" | "nothing";
  private readonly unread: Unread;

  constructor({ extent, statementSeconds }: LockedTable, { indexed, relations }: Part) {
    this.unread = new Unread(extent.leaves.filter(({ id }) => relations?.includes(id) !== false));
    const whole = statementSeconds === undefined || indexed === true || this.unread.isEmpty;
    this.way = whole ? "whole" : "ranges";
  }

  next(size: RangeSize): Range | undefined {
    if (this.way === "whole") return { parts: [], bytes: 0 };
    return this.way === "ranges" ? this.unread.take(Math.max(1, size.next())) : undefined;
  }

  done({ bytes }: Range, size: RangeSize, milliseconds: number): void {
    this.isFirst = false;
    size.measured(bytes, milliseconds);
    if (this.way === "whole") this.way = "nothing";
  }

  /** Prepares to read in smaller ranges what took too long; false where there are none. */
  divide(range: Range, size: RangeSize): boolean {
    if (this.way === "whole") {
      this.way = "ranges";
      return !this.unread.isEmpty;
    }
    if (!isDivisible(range)) return false;
    size.tooLong(range.bytes);
    this.unread.giveBack(range);
    return true;
  }
}
