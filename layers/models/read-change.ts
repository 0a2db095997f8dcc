/** What came to an input and went from it between the version that a model has taken in and the one it is to take. */
import { CHANGE_TYPE } from "../../lakehouse/delta/change/change-data.ts";
import { changeSince } from "../../lakehouse/delta/change/change-feed.ts";
import { bytesOf } from "../../lakehouse/delta/maintain/optimize-metrics.ts";
import { explainReadError } from "../../lakehouse/delta/scan/read-error.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifiers } from "../../lakehouse/duckdb/quote.ts";
import { codeOf } from "../../lakehouse/errors.ts";

/** Column of a change: whether the row is one that the input has now, or one that it had. */
export const IS_NEW = "_ingot_is_new";

/** Below so many bytes nothing is worth deciding. */
const SMALL_BYTES = 64 * 1024 * 1024;

/** Whether a change of so many bytes is read, of an input that has so many; else the model is better made anew. */
export const isWorthReading = (change: number, all: number): boolean =>
  change <= Math.max(SMALL_BYTES, all / 2);

/** What a change is made of. */
export interface InputChange {
  readonly rows: number;
  /** Rows that the input has no more, and rows that it has now. */
  readonly gone: number;
  readonly came: number;
}

/**
 * Reads the change of an input into a table of the session: its columns and `IS_NEW`. Undefined where the model is
 * better made anew, and `because` told why: the log does not tell the change, its files are gone, or it is most of the
 * table.
 */
export async function readChange(
  session: Session,
  table: DeltaTable,
  consumed: number,
  input: Snapshot,
  relation: string,
  because: (reason: string) => void = () => {},
): Promise<InputChange | undefined> {
  const change = await changeSince(table, consumed, input);
  if (change === undefined) {
    because("changed in a way that its log does not tell");
    return undefined;
  }
  if (!isWorthReading(change.bytes, bytesOf(input.files.values()))) {
    because("changed by more than half");
    return undefined;
  }
  const columns = identifiers(input.schema.fields.map((f) => f.name));
  const isNew = `${CHANGE_TYPE} IN ('insert', 'update_postimage') AS ${IS_NEW}`;
  try {
    await session.run(
      `CREATE OR REPLACE TABLE ${relation} AS SELECT ${columns}, ${isNew} FROM (${change.sql})`,
    );
  } catch (error) {
    // The files of old changes are vacuumed with those of old versions.
    if (codeOf(explainReadError(error, table.store.root)) === "DELTA_MISSING_FILE") {
      because("lost the files of its changes");
      return undefined;
    }
    throw error;
  }
  const [counted] = await session.rows(
    `SELECT count(*) AS rows, count(*) FILTER (WHERE ${IS_NEW}) AS came FROM ${relation}`,
  );
  const [rows, came] = [Number(counted?.rows), Number(counted?.came)];
  return { rows, came, gone: rows - came };
}
