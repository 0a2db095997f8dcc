/**
 * Models that keep images of what their SQL gives, one for each day or hour. A run makes the image of the period that
 * it is in, and touches no other: what inputs were at another time, nothing can tell again.
 */
import type { AddFile } from "../../../lakehouse/delta/actions.ts";
import { removeOf } from "../../../lakehouse/delta/metadata.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { identifier, identifiers } from "../../../lakehouse/duckdb/quote.ts";
import { messageOf, TerminalError } from "../../../lakehouse/errors.ts";
import { imageColumn } from "../../definition/model-columns.ts";
import { commitActions } from "../commit-model.ts";
import { checkColumns, checkNulls, rowsOfModel } from "../contract.ts";
import { viewInputs } from "../inputs.ts";
import { refuseRepeatedKeys } from "../keys.ts";
import type { Kind } from "../kind.ts";
import { stagedSql, stageModel, tableActions } from "../model-table.ts";
import type { Model } from "../planned-model.ts";
import { refuseBroken } from "../refuse-broken.ts";
import { replaceByKey } from "../replace-by-key.ts";
import type { ModelResult, ModelRun } from "../run.ts";
import { planImages, refuseLostImages } from "./check-images.ts";
import { moveOldImages } from "./cold.ts";
import { imageAction, lastImage } from "./image-record.ts";
import { isOld, periodAt, periodOf, periodSql } from "./period.ts";

const HOUR_MS = 3600_000;
/** From a period to the one after it, in milliseconds. */
const LONGEST_STEP = { day: 24 * HOUR_MS, hour: HOUR_MS } as const;

export const snapshotKind: Kind = { plan: planImages, run: runSnapshot, isDue };

/** A period that has no image yet, and images that are to go to their cold place, do not wait for a change. */
function isDue(model: Model, base: Snapshot, now: number): boolean {
  const current = periodAt(now, model);
  if (lastImage(base) !== current) return true;
  return (
    model.cold !== undefined &&
    [...base.files.values()].some((f) => isOld(periodOf(f, model), current, model))
  );
}

async function runSnapshot(run: ModelRun): Promise<ModelResult> {
  const { model, base, target } = run;
  if (base !== undefined && run.consumed === undefined) await refuseLostImages(run, base);
  const period = periodAt(target.now(), model);
  // Nothing is recorded: what the inputs bring is for the image of the later period.
  if (base !== undefined && isPast(model, base, period))
    return { status: "unchanged", rowsIn: 0, rowsOut: 0, bytes: 0, version: base.version };
  await viewInputs(run);
  await checkColumns(run);
  const column = identifier(imageColumn(model));
  const image = `SELECT *, ${periodSql(period, model)} AS ${column} FROM (${model.sql}\n)`;
  const isKnown = base !== undefined && run.consumed !== undefined && lastImage(base) === period;
  const result = await (isKnown ? changeImage(run, base, period, image) : takeImage(run, period, image));
  const { version, failure } = await moveOldImages(run, period);
  const moved = version === undefined ? result : { ...result, status: "incremental" as const, version };
  if (failure === undefined) return moved;
  // The image is there, and what reads it need not wait for the cold place.
  return { ...moved, warning: `images that are old were not moved: ${messageOf(failure)}` };
}

/**
 * Whether an image of a later period was taken, be it an empty one: then this one is not touched again. Clocks of two
 * machines differ a little; one that is wrong by more is not to go unnoticed.
 */
function isPast(model: Model, base: Snapshot, period: number): boolean {
  const periods = [...base.files.values()].map((file) => periodOf(file, model)).filter((p) => p >= period);
  const newest = periods.reduce((a, b) => Math.max(a, b), lastImage(base) ?? period);
  if (newest <= period) return false;
  if (newest - period <= LONGEST_STEP[model.every ?? "day"]) return true;
  // Of images of the future that were deleted the record remains; it guards no more than the image of this period.
  if (periods.length === 0) return false;
  throw new TerminalError(`the clock is behind the images of ${model.name}`, {
    code: "MODEL_SNAPSHOT_CLOCK",
    value: `it says ${new Date(period).toISOString()}, and an image of ${new Date(newest).toISOString()} was taken`,
    next: `Set the clock. If it was wrong before, delete the images of the future from ${model.name}: it goes on with the next period.`,
  });
}

const filesOf = (base: Snapshot | undefined, period: number, model: Model): AddFile[] =>
  [...(base?.files.values() ?? [])].filter((file) => periodOf(file, model) === period);

/** Brings the image of the period to what the SQL gives now: rows that are as they were stay where they are. */
async function changeImage(
  run: ModelRun,
  base: Snapshot,
  period: number,
  image: string,
): Promise<ModelResult> {
  const { session, model, target } = run;
  await rowsOfModel(run, image, "result");
  await refuseBroken(run, "result");
  await refuseRepeatedKeys(run, "result");
  const files = filesOf(base, period, model);
  const former = await scanSql(target.store, { ...scannable(base), files });
  const key = identifiers(model.contract.key);
  await session.run(`CREATE TABLE keys AS SELECT ${key} FROM result UNION SELECT ${key} FROM (${former})`);
  const [counted] = await session.rows("SELECT count(*) AS rows FROM result");
  return replaceByKey(run, base, { keys: "keys", rows: "result", rowsIn: Number(counted?.rows) });
}

/** Writes the image of the period, in place of one that is there already. */
async function takeImage(run: ModelRun, period: number, image: string): Promise<ModelResult> {
  const { model, target, base } = run;
  const staged = await stageModel(run, image);
  try {
    await refuseRepeatedKeys(run, `(${await stagedSql(run, staged)})`);
    checkNulls(model, staged);
  } catch (error) {
    await target.discard(staged);
    throw error;
  }
  const now = target.now();
  const actions = [
    ...tableActions(model, base, now),
    imageAction(period),
    ...filesOf(base, period, model).map((file) => ({ remove: removeOf(file, now) })),
    ...staged.files.map((add) => ({ add })),
  ];
  const metrics = {
    numFiles: String(staged.files.length),
    numOutputRows: String(staged.rows),
    numOutputBytes: String(staged.bytes),
  };
  const version = await commitActions(run, "WRITE", actions, metrics, staged.files);
  const status = base === undefined ? "rebuilt" : "incremental";
  return { status, rowsIn: staged.rows, rowsOut: staged.rows, bytes: staged.bytes, version };
}
