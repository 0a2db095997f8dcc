/**
 * Taking rows out of files: by deletion vectors where the table enables them, by writing files anew without the rows
 * (copy on write) elsewhere. A file that loses all of its rows is removed either way.
 */
import { identifiers } from "../../duckdb/quote.ts";
import type { Action, AddFile } from "../actions.ts";
import { readDeletionVector } from "../deletion-vector/read.ts";
import type { RowSet } from "../deletion-vector/row-set.ts";
import { writeDeletionVectors } from "../deletion-vector/write.ts";
import { removeOf } from "../metadata.ts";
import { featuresOf } from "../protocol.ts";
import { scannable, scanSql } from "../scan.ts";
import type { Snapshot } from "../snapshot.ts";
import { looseBounds, rowCount } from "../stats.ts";
import type { DeltaTable } from "../table.ts";
import { FILE, ROW } from "./workspace.ts";

/** What becomes of the touched files. */
export interface Rewrite {
  /** Files that lose rows or go, with the rows they lose by index. */
  readonly actions: readonly Action[];
  /** SQL of the rows that stay of files that are written anew; undefined where there are none. */
  readonly kept: string | undefined;
  readonly removedFiles: number;
  readonly vectorFiles: number;
}

/** Whether row changes of this table are kept as deletion vectors. */
function usesVectors({ protocol, metadata }: Pick<Snapshot, "protocol" | "metadata">): boolean {
  return (
    metadata.configuration["delta.enableDeletionVectors"] === "true" &&
    featuresOf(protocol).has("deletionVectors")
  );
}

/**
 * Decides for each file that has touched rows. `files` are those that the indexes of `touched` refer to; `relation`
 * is where the touched rows stand in the workspace.
 */
export async function rewriteFiles(
  table: DeltaTable,
  base: Snapshot,
  files: readonly AddFile[],
  touched: ReadonlyMap<number, RowSet>,
  relation: string,
): Promise<Rewrite> {
  const now = table.now();
  const actions: Action[] = [];
  const marked: { file: AddFile; rows: RowSet }[] = [];
  const anew: number[] = [];
  let removedFiles = 0;
  for (const [index, rows] of touched) {
    const file = files[index];
    if (file === undefined) throw new RangeError(`no file ${index} of ${files.length}`);
    const held = rowCount(file);
    const deletedBefore = file.deletionVector?.cardinality ?? 0;
    if (held !== undefined && rows.cardinality + deletedBefore === held) {
      actions.push({ remove: removeOf(file, now) });
      removedFiles += 1;
    } else if (usesVectors(base) && held !== undefined) {
      marked.push({ file, rows: await withFormer(table, file, rows) });
    } else {
      actions.push({ remove: removeOf(file, now) });
      anew.push(index);
    }
  }
  const vectors = await writeDeletionVectors(
    table.store,
    marked.map(({ rows }) => rows),
  );
  for (const [i, { file }] of marked.entries()) {
    const deletionVector = vectors[i];
    if (deletionVector === undefined) throw new RangeError("a deletion vector was not written");
    actions.push({ remove: removeOf(file, now) });
    actions.push({ add: { ...file, deletionVector, dataChange: true, ...looseBounds(file) } });
  }
  const kept = anew.length === 0 ? undefined : await keptSql(table, base, files, anew, relation);
  return { actions, kept, removedFiles: removedFiles + anew.length, vectorFiles: marked.length };
}

/** A file has one vector: the new one holds the rows of the former. */
async function withFormer(table: DeltaTable, file: AddFile, rows: RowSet): Promise<RowSet> {
  if (file.deletionVector === undefined) return rows;
  const all = await readDeletionVector(table.store, file.deletionVector);
  all.union(rows);
  return all;
}

/** The rows of some files without the touched ones, in the columns of the table. */
async function keptSql(
  table: DeltaTable,
  base: Snapshot,
  files: readonly AddFile[],
  anew: readonly number[],
  relation: string,
): Promise<string> {
  const subset = anew.flatMap((index) => files[index] ?? []);
  const scan = await scanSql(
    table.store,
    { ...scannable(base), files: subset },
    { fileIndex: FILE, rowIndex: ROW },
  );
  // The scan counts the files of the subset; the touched rows know them by their place among all.
  const places = anew.map((index, i) => `(${index}, ${i})`).join(", ");
  const gone = `SELECT _place AS ${FILE}, ${ROW} FROM ${relation} JOIN (VALUES ${places}) AS _places(_index, _place) ON _index = ${FILE}`;
  const columns = identifiers(base.schema.fields.map((f) => f.name));
  return `SELECT ${columns} FROM (${scan}) ANTI JOIN (${gone}) USING (${FILE}, ${ROW})`;
}
