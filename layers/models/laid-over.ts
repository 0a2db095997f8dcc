/** Whether new rows of a bronze table lie, in the source's history, after all that was there. */
import type { AddFile } from "../../lakehouse/delta/actions.ts";
import { addedFiles } from "../../lakehouse/delta/changes.ts";
import { explainReadError } from "../../lakehouse/delta/scan/read-error.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { greatestValue } from "../../lakehouse/delta/stats.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { codeOf, TerminalError } from "../../lakehouse/errors.ts";
import { META } from "../definition/bronze-columns.ts";
import { commitNothing } from "./commit-model.ts";
import type { ModelResult, ModelRun } from "./run.ts";

/** The bronze table of a model, pinned. */
export interface BronzeInput {
  readonly reference: string;
  readonly source: Snapshot;
  readonly table: DeltaTable;
}

/** The two ways in which a kind of model takes a bronze table in. */
interface Ways {
  /** Lays the rows of these files over the table. */
  readonly increment: (base: Snapshot, added: readonly AddFile[]) => Promise<ModelResult>;
  /** Makes the table of all rows; `why` not in the other way. */
  readonly rebuild: (why: string) => Promise<ModelResult>;
  /** As of `isLaidOver`. */
  readonly strictly?: boolean;
}

/** Brings a model's table up to the pinned version of its bronze table, by what is new where that gives the same. */
export async function takeBronze(
  run: ModelRun,
  { reference, source, table }: BronzeInput,
  { increment, rebuild, strictly = false }: Ways,
): Promise<ModelResult> {
  const { base } = run;
  const consumed = run.consumed?.get(reference);
  const added = consumed === undefined ? undefined : await addedFiles(table.store, consumed, source.version);
  if (base !== undefined && consumed !== undefined && added !== undefined) {
    if (added.length === 0) return commitNothing(run, base);
    if (await isLaidOver(run.session, table, source, { consumed, added }, { strictly }))
      return increment(base, added);
  }
  const why = added ? "changes lie before, or undo, what was taken in" : "what is new in bronze is not known";
  return rebuild(run.reason ?? why);
}

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
async function isLaidOver(
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
