/** What commits added to a table that only grows. */
import type { ObjectStore } from "../store/store.ts";
import type { AddFile } from "./actions.ts";
import { readAhead } from "./log/read-ahead.ts";
import { readCommit } from "./log.ts";

/** Commits that are fetched at the same time. */
const PARALLEL = 16;

/**
 * Files that the versions after `from`, up to and with `to`, added. Undefined where that does not tell the change:
 * a commit took data away, or is no longer in the log.
 */
export async function addedFiles(
  store: ObjectStore,
  from: number,
  to: number,
): Promise<readonly AddFile[] | undefined> {
  if (from > to) throw new RangeError(`version ${to} lies before ${from}`);
  const files: AddFile[] = [];
  const versions = Array.from({ length: to - from }, (_, i) => from + 1 + i);
  for await (const actions of readAhead(versions, PARALLEL, (version) => readCommit(store, version))) {
    if (actions === undefined) return undefined;
    for (const action of actions) {
      if ("remove" in action && action.remove.dataChange) return undefined;
      if ("add" in action && action.add.dataChange) files.push(action.add);
    }
  }
  return files;
}
