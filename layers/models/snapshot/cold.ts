/**
 * Old images go to a cold place: first they are committed there, in place of what a run that died may have left, then
 * they leave the model's table. In between they are in both, with the same rows; whoever reads the model's table first
 * and the cold one after misses none.
 */
import { z } from "zod";
import type { Action, AddFile } from "../../../lakehouse/delta/actions.ts";
import { bytesOf } from "../../../lakehouse/delta/maintain/optimize-metrics.ts";
import { removeOf } from "../../../lakehouse/delta/metadata.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import { stageRows, tableActions } from "../model-table.ts";
import type { Model } from "../planned-model.ts";
import type { ColdPlace, ModelRun } from "../run.ts";
import { isOld, periodOf } from "./period.ts";

const DOMAIN = "ingot.cold";
const ownerSchema = z.object({ lake: z.string(), model: z.string() });
type Owner = z.infer<typeof ownerSchema>;

/** What one commit moves: so many images, each a partition of its own, and no further one beyond so many bytes. */
const MOST_IMAGES = 24;
const MOST_BYTES = 256 * 1024 * 1024;

export interface Moved {
  /** The version of the model's table without the images that were moved; undefined if none was. */
  readonly version: number | undefined;
  /** Why some stayed that were to go. */
  readonly failure?: unknown;
}

/** Moves the images that are old in a period. Those that cannot be moved stay where they are, and go another time. */
export async function moveOldImages(run: ModelRun, current: number): Promise<Moved> {
  let version: number | undefined;
  try {
    for await (const left of moves(run, current)) version = left;
    return { version };
  } catch (failure) {
    return { version, failure };
  }
}

/** Moves images, commit by commit; gives the versions of the model's table. */
async function* moves(run: ModelRun, current: number): AsyncGenerator<number> {
  const { model, target } = run;
  const oldIn = ({ files }: Snapshot) =>
    [...files.values()].filter((f) => isOld(periodOf(f, model), current, model));
  // The place is not opened, and need not be there, until something goes to it.
  if (run.cold === undefined || oldIn(await target.existingSnapshot()).length === 0) return;
  const place = await run.cold();
  for (;;) {
    // The cold table is looked at first: an image that a rival brings there later makes this run's commit a conflict.
    const there = await place.table.snapshot();
    const hot = await target.existingSnapshot();
    const leaving = oldest(oldIn(hot), model);
    if (leaving.length === 0) return;
    if (!(await bring(run, place, there, hot, leaving))) return;
    const left = await leave(run, hot, leaving);
    if (left === undefined) return;
    yield left;
  }
}

/** The files of the oldest images, as many as one commit moves. */
function oldest(files: readonly AddFile[], model: Model): AddFile[] {
  const images = new Map<number, AddFile[]>();
  for (const file of files) {
    const period = periodOf(file, model);
    images.set(period, [...(images.get(period) ?? []), file]);
  }
  const chosen: AddFile[] = [];
  for (const [, image] of [...images].sort(([a], [b]) => a - b).slice(0, MOST_IMAGES)) {
    if (chosen.length > 0 && bytesOf(chosen) + bytesOf(image) > MOST_BYTES) break;
    chosen.push(...image);
  }
  return chosen;
}

/** Commits the images to the cold table. False where another run was faster, which then moves them. */
async function bring(
  run: ModelRun,
  { table: cold, from }: ColdPlace,
  there: Snapshot | undefined,
  hot: Snapshot,
  files: readonly AddFile[],
): Promise<boolean> {
  const { model, target } = run;
  const owner = { lake: from, model: model.name };
  if (there !== undefined) refuseOther(model, cold, there, owner);
  const rows = await scanSql(target.store, { ...scannable(hot), files });
  const staged = await stageRows({ ...run, target: cold, base: there }, rows);
  const now = cold.now();
  const periods = new Set(files.map((file) => periodOf(file, model)));
  const replaced = [...(there?.files.values() ?? [])].filter((file) => periods.has(periodOf(file, model)));
  const actions: Action[] = [
    ...tableActions(model, there, now),
    { domainMetadata: { domain: DOMAIN, configuration: JSON.stringify(owner), removed: false } },
    ...replaced.map((file) => ({ remove: removeOf(file, now) })),
    ...staged.files.map((add) => ({ add })),
  ];
  const outcome = await cold.commit({ base: there, operation: "WRITE", actions, reads: "table" });
  if (outcome.status === "lost") await cold.discard(staged);
  return outcome.status === "committed";
}

/** Takes the images out of the model's table. Undefined where another run changed them meanwhile. */
async function leave(
  { model, target }: ModelRun,
  hot: Snapshot,
  files: readonly AddFile[],
): Promise<number | undefined> {
  const now = target.now();
  const outcome = await target.commit({
    base: hot,
    operation: "DELETE",
    operationParameters: { model: model.name, movedTo: "cold" },
    actions: files.map((file) => ({ remove: removeOf(file, now) })),
    reads: "nothing",
  });
  return outcome.status === "committed" ? outcome.version : undefined;
}

/** Images of two models, or of two lakes, in one place would take each other's. */
function refuseOther(model: Model, cold: DeltaTable, there: Snapshot, owner: Owner): void {
  const domain = there.domains.get(DOMAIN);
  const known = domain && ownerSchema.parse(JSON.parse(domain.configuration));
  if (known?.lake === owner.lake && known.model === owner.model) return;
  throw new TerminalError(`the cold place of ${model.name} holds other images`, {
    code: "MODEL_SNAPSHOT_COLD",
    value: cold.store.root,
    allowed: known ? `images of ${known.model} of the lake ${known.lake}` : "a table that a snapshot made",
    next: "Give it another place: snapshot(…, { cold: { lake } }), or another name. Nothing was moved.",
  });
}
