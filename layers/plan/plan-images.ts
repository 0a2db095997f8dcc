/** What a build would do with a table of images, which is never made anew. */
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import { messageOf } from "../../lakehouse/errors.ts";
import { KINDS } from "../models/kinds.ts";
import type { Model } from "../models/planned-model.ts";
import { imageConflict } from "../models/snapshot/check-images.ts";
import { refuseLoss } from "../models/snapshot/image-record.ts";
import type { Problem } from "./check-model.ts";
import type { PlannedAction } from "./planned-action.ts";

interface Decided {
  readonly action: PlannedAction;
  readonly why: string;
}

/** What is decided of a model, as it is of one that keeps images: only the present one is made, also where none changed. */
export function ofImages(decided: Decided, model: Model, base: Snapshot | undefined, now: number): Decided {
  if (model.kind !== "snapshot" || base === undefined) return decided;
  if (decided.action === "rebuild")
    return { ...decided, action: "increment", why: `${decided.why}: its present image is made again` };
  const isDue = decided.action === "nothing" && KINDS.snapshot.isDue?.(model, base, now) === true;
  return isDue ? { ...decided, action: "increment", why: "an image is due" } : decided;
}

/** The problem of a model that would destroy images, or cannot go on beside them; undefined where there is none. */
export function lostImages(model: Model, table: Snapshot): Problem | undefined {
  const at = { code: "MODEL_SNAPSHOT_IMAGES", model: model.name, file: model.file };
  const next = "Take the change back, or give the model another name, under which its images begin anew.";
  try {
    refuseLoss(model, table);
  } catch (error) {
    return { ...at, problem: messageOf(error), next };
  }
  const conflict = model.kind === "snapshot" ? imageConflict(model, table) : undefined;
  return conflict === undefined
    ? undefined
    : { ...at, problem: `does not go with its images: ${conflict}`, next };
}
