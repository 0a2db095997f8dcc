/** A table as it would be after a commit that was not made. */
import type { Action } from "./actions.ts";
import { Replay, type Snapshot } from "./snapshot.ts";

/**
 * The snapshot that actions would lead to; its files can be scanned as soon as they are written. `base` is undefined for
 * a table that the actions create, which then state its protocol and metadata. `where` is for messages.
 */
export function withActions(base: Snapshot | undefined, actions: readonly Action[], where: string): Snapshot {
  const replay = new Replay(base);
  replay.apply(actions);
  return replay.finish((base?.version ?? -1) + 1, where, undefined);
}
