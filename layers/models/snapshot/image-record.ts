/** What a table of images remembers beside them. */
import { z } from "zod";
import type { Action } from "../../../lakehouse/delta/actions.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { Model } from "../planned-model.ts";

const DOMAIN = "ingot.images";
const recordSchema = z.object({ newest: z.number() });

/** Whether a table holds images, which no run can make again. */
export const holdsImages = (snapshot: Snapshot): boolean => snapshot.domains.has(DOMAIN);

/** Refuses a model of another kind over images: it would make its table of what the inputs are now. */
export function refuseLoss(model: Model, table: Snapshot): void {
  if (model.kind === "snapshot" || !holdsImages(table)) return;
  throw new TerminalError(`${model.name} has images, and is no snapshot any more`, {
    code: "MODEL_SNAPSHOT_IMAGES",
    value: model.kind,
    allowed: "snapshot",
    next: "Give the model another name: images that were taken cannot be made again.",
  });
}

/** The period of the last image that was taken, empty ones too; undefined where none was. */
export function lastImage(snapshot: Snapshot): number | undefined {
  const domain = snapshot.domains.get(DOMAIN);
  return domain === undefined ? undefined : recordSchema.parse(JSON.parse(domain.configuration)).newest;
}

/** The action that records an image, to go into its commit. */
export const imageAction = (newest: number): Action => ({
  domainMetadata: { domain: DOMAIN, configuration: JSON.stringify({ newest }), removed: false },
});
