import { TransientError } from "../../lakehouse/errors.ts";

/** Code of a publication whose target lost what was there when it began. */
export const SET_LOST = "PUBLISH_SET_LOST";

/**
 * The target was emptied, or set back, while a version was published. The publication must begin with the newest gold
 * table: meanwhile readers may have seen a newer version than this one.
 */
export function setLost(set: string): TransientError {
  return new TransientError(`${set} was lost at the target while it was published`, {
    code: SET_LOST,
    value: set,
    next: "Publish again.",
  });
}
