/** Whether new rows of a bronze table lie, in the source's history, after all that was there. */
import type { AddFile } from "../../lakehouse/delta/actions.ts";
import { explainReadError } from "../../lakehouse/delta/scan/read-error.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { greatestValue } from "../../lakehouse/delta/stats.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { codeOf, TerminalError } from "../../lakehouse/errors.ts";
import { META } from "../definition/bronze-columns.ts";

/** What came into a bronze table since a version of it was taken in. */
interface NewRows {
  readonly consumed: number;
  readonly added: readonly AddFile[];
}

/**
 * Whether what is there, with the change laid over it, is what there is to be. Not after a truncation: nothing of before
 * remains. And not where changes lie before rows that were taken in: a read of the source may be ahead of its capture.
 * `strictly`: nor where they are of a transaction of which rows were taken in.
 */
export async function isLaidOver(
  session: Session,
  table: DeltaTable,
  source: Snapshot,
  change: NewRows,
  { strictly = false } = {},
): Promise<boolean> {
  const rows = await scanSql(table.store, { ...scannable(source), files: change.added });
  const [found] = await session.rows(
    `SELECT coalesce(bool_or(${META.operation} = 't'), false) AS truncates, min(${META.lsn})::DOUBLE AS first FROM (${rows})`,
  );
  if (found?.truncates === true) return false;
  if (typeof found?.first !== "number") return true;
  const older = await olderFiles(table, source, change);
  const last = older && (await latest(session, table, source, older));
  if (last === undefined) return false;
  return strictly ? last < found.first : last <= found.first;
}

/** The files of the rows that were taken in; undefined where that version is not known any more. */
async function olderFiles(
  table: DeltaTable,
  source: Snapshot,
  { consumed, added }: NewRows,
): Promise<readonly AddFile[] | undefined> {
  const paths = new Set(added.map((file) => file.path));
  if (added.every((file) => source.files.has(file.path)))
    return [...source.files.values()].filter((file) => !paths.has(file.path));
  // New files were joined with others since: those that came of it have old rows and new ones.
  try {
    return [...(await table.existingSnapshot(consumed)).files.values()];
  } catch (error) {
    if (error instanceof TerminalError) return undefined;
    throw error;
  }
}

/** The greatest LSN in these files: by their statistics, and by their rows where those do not tell. */
async function latest(
  session: Session,
  table: DeltaTable,
  source: Snapshot,
  files: readonly AddFile[],
): Promise<number | undefined> {
  let newest = -1;
  const unknown: AddFile[] = [];
  for (const file of files) {
    const bound = greatestValue(file, META.lsn);
    if (bound === undefined) unknown.push(file);
    else newest = Math.max(newest, bound);
  }
  if (unknown.length === 0) return newest;
  try {
    const rows = await scanSql(table.store, { ...scannable(source), files: unknown });
    const [found] = await session.rows(`SELECT max(${META.lsn})::DOUBLE AS newest FROM (${rows})`);
    return Math.max(newest, Number(found?.newest ?? -1));
  } catch (error) {
    // Files of an older version may be vacuumed.
    if (codeOf(explainReadError(error, table.store.root)) === "DELTA_MISSING_FILE") return undefined;
    throw error;
  }
}
