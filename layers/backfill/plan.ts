/** What a backfill will do, said before it does any of it. */
import { selectFiles } from "../../lakehouse/delta/change/select-files.ts";
import { bytesOf } from "../../lakehouse/delta/maintain/optimize-metrics.ts";
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { countRows } from "../../lakehouse/delta/stats.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import type { ModelKind } from "../definition/model.ts";
import { viewInputs } from "../models/inputs.ts";
import { selectModels } from "../models/select.ts";
import { rangeFilters } from "./chunk.ts";
import { readProgress } from "./progress-record.ts";
import { chunksOf, type Interval, isTemporal, readChunkSize, storedRangeSql } from "./range.ts";
import { type BackfillRequest, type Moment, momentOf, type Subject } from "./subject.ts";

/** What is read of an input, by its statistics: more than that it will not be. */
interface PlannedRead {
  readonly table: string;
  readonly version: number;
  readonly rows: number;
  readonly bytes: number;
  /** How many times it is read: once where each chunk reads its part, else once for each chunk. */
  readonly times: number;
}

export interface BackfillPlan extends Interval {
  readonly model: string;
  readonly kind: ModelKind;
  readonly column: string;
  /** `7d`; null where the range is made in one go. */
  readonly chunk: string | null;
  /** Chunks that are left to be made, in order. */
  readonly chunks: readonly Interval[];
  /** All before it was made by a run that was interrupted; null where none was. */
  readonly until: string | null;
  /** Rows that the table has in what is left. */
  readonly rows: number;
  readonly reads: readonly PlannedRead[];
  /** Models that will take in what changes, however far. */
  readonly downstream: readonly string[];
  readonly notices: readonly string[];
}

/** Where each chunk reads its part of the inputs, a chunk of time is so long. */
const USUAL_CHUNK = "7d";

/** Plans a backfill. */
export async function planBackfill(
  subject: Subject,
  request: BackfillRequest,
  session: Session,
): Promise<BackfillPlan> {
  const { model, models, field, range, target } = subject;
  const moment = await momentOf(subject, session);
  const notices: string[] = [];
  const progress = request.anew ? undefined : readProgress(moment.base, { column: field.name, ...range });
  const isSame = progress?.fingerprint === model.fingerprint;
  if (progress && !isSame) notices.push("the model has changed since this was interrupted: it begins again");
  const until = isSame ? progress.until : undefined;
  const left = { from: until ?? range.from, to: range.to };
  await viewInputs(moment.run);
  const filters = await rangeFilters(moment.run, field, left);
  const usual = isTemporal(field) && filters.size > 0 ? USUAL_CHUNK : undefined;
  const chunk = request.chunk ?? usual;
  const size = chunk === undefined ? undefined : readChunkSize(field, chunk);
  const chunks = await chunksOf(target.duckdb, field, left, size);
  for (const name of moment.pinned.newer)
    notices.push(`${name} is read as it is now: the version that ${model.name} was made from is gone`);
  return {
    model: model.name,
    kind: model.kind,
    column: field.name,
    ...range,
    chunk: chunk ?? null,
    chunks,
    until: until ?? null,
    rows: await rowsIn(subject, moment.base, left),
    reads: await readsOf(subject, moment, filters, chunks.length),
    downstream: selectModels(models, [`${model.name}+`]).flatMap(({ name }) =>
      name === model.name ? [] : name,
    ),
    notices,
  };
}

async function rowsIn({ target, field }: Subject, base: Snapshot, range: Interval): Promise<number> {
  const where = storedRangeSql(field, range);
  const { files, whole } = await selectFiles(target.duckdb, base, where);
  const rows = await scanSql(target.store, { ...scannable(base), files: [...files, ...whole] });
  const [counted] = await target.duckdb.rows(`SELECT count(*) AS rows FROM (${rows}) WHERE ${where}`);
  return Number(counted?.rows);
}

async function readsOf(
  { target, model }: Subject,
  { pinned, run }: Moment,
  filters: ReadonlyMap<string, string>,
  chunks: number,
): Promise<PlannedRead[]> {
  const reads: PlannedRead[] = [];
  // A merge model goes through bronze for the keys, and once more for their newest rows.
  const passes = model.kind === "merge" ? 2 : 1;
  for (const [table, input] of run.inputs) {
    const where = filters.get(table);
    const selected = where === undefined ? undefined : await selectFiles(target.duckdb, input, where);
    const files = selected ? [...selected.files, ...selected.whole] : [...input.files.values()];
    reads.push({
      table,
      version: pinned.inputs.get(table)?.version ?? input.version,
      rows: countRows(files),
      bytes: bytesOf(files),
      times: where === undefined ? chunks * passes : 1,
    });
  }
  return reads;
}
