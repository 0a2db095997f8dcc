/** What commits added to a table that only grows. */
import type { ObjectStore } from "../store/store.ts";
import { type AddFile, canonicalPath } from "./actions.ts";
import { readAhead } from "./log/read-ahead.ts";
import { readCommit } from "./log.ts";
import { findMissing } from "./maintain/find-missing.ts";

/** Commits that are fetched at the same time. */
const PARALLEL = 16;

/**
 * Files that the versions after `from`, up to and with `to`, added, with what they hold: also those that were since
 * written anew with others. Undefined where these do not tell the change: a commit took data away, or is no longer in
 * the log, or a file that was written anew is vacuumed.
 */
export async function addedFiles(
  store: ObjectStore,
  from: number,
  to: number,
): Promise<readonly AddFile[] | undefined> {
  if (from > to) throw new RangeError(`version ${to} lies before ${from}`);
  const files: AddFile[] = [];
  const rewritten = new Set<string>();
  const versions = Array.from({ length: to - from }, (_, i) => from + 1 + i);
  for await (const actions of readAhead(versions, PARALLEL, (version) => readCommit(store, version))) {
    if (actions === undefined) return undefined;
    for (const action of actions) {
      if ("remove" in action && action.remove.dataChange) return undefined;
      if ("remove" in action) rewritten.add(canonicalPath(action.remove.path));
      if ("add" in action && action.add.dataChange) files.push(action.add);
    }
  }
  const superseded = files.filter(({ path }) => rewritten.has(canonicalPath(path)));
  return (await findMissing(store, superseded)).length > 0 ? undefined : files;
}
