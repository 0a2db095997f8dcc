/** Where a sync looks for new rows: the table's cursor, and what is known of it since the last sync. */

import { literal } from "../../../lakehouse/duckdb/quote.ts";
import type { Since } from "../increment.ts";
import type { Position, PositionState } from "../position.ts";
import type { SourceMoment } from "../postgres/snapshot.ts";
import { hasIdCursor, seeIds } from "./id-cursor.ts";
import { finalId, nextMarks, printMarks } from "./id-marks.ts";
import type { LockedTable } from "./read-part.ts";
import { filesOf } from "./source-files.ts";

export interface CursorRequest {
  readonly from: Position;
  readonly to: SourceMoment;
  /** Seconds that a transaction may stay open. */
  readonly longest: number;
  /** Whether the columns of the table changed since. */
  readonly changed: boolean;
}

export interface CursorState {
  readonly since: Since;
  /** To be written down with the rows. */
  readonly state: Pick<PositionState, "files" | "marks">;
  /** Whether the position is worth to be moved although there are no rows: the next sync then has less to look at. */
  readonly moves: boolean;
}

/** Decides where to look. The source is asked under the sync's snapshot, while the table is locked. */
export async function cursorState(
  { client, table }: LockedTable,
  { from, to, longest, changed }: CursorRequest,
): Promise<CursorState> {
  if (table.cursor === undefined || !table.hasTransactionIds)
    return { since: "everywhere", state: {}, moves: false };
  const before = await filesOf(client, from.relations);
  const files = await filesOf(client, table.relations);
  // Rows that were written anew have new transaction ids, and cursors of old.
  const moved = from.files !== undefined && from.files !== before;
  const rewritten = moved || (from.files === undefined && changed);
  if (!hasIdCursor(table)) {
    const since = rewritten ? ("everywhere" as const) : { at: earliestMoment(from, longest) };
    return { since, state: { files }, moves: moved };
  }
  // After a truncation ids may begin anew.
  const known = rewritten ? [] : (from.marks ?? []);
  const seen = await seeIds(client, table, to.xmax, longest);
  const marks = nextMarks(known, seen, to.xmin);
  const id = finalId(known, from.xmin);
  const progress =
    finalId(marks, to.xmin) !== id || JSON.stringify(printMarks(marks)) !== JSON.stringify(printMarks(known));
  return {
    since: id === undefined ? "everywhere" : { id },
    state: { files, marks },
    moves: moved || progress,
  };
}

/** The moment from which on cursors of new rows can be, as SQL for the source. `longest`: seconds. */
function earliestMoment({ at, oldest }: Position, longest: number): string {
  const behind = `${literal(at)}::timestamptz - ${literal(`${longest} seconds`)}::interval`;
  return `least(${behind}, ${literal(oldest)}::timestamptz)`;
}
