/** A listing of the log: which commits, checkpoints and compactions there are. */
import type { ObjectStore } from "../../store/store.ts";
import { parseLogName, VERSIONED, versionPrefix } from "../log.ts";

export interface LogListing {
  /** Commit files: version → time of modification, whole milliseconds since the epoch; versions ascend. */
  readonly commits: ReadonlyMap<number, number>;
  /**
   * Complete checkpoints: version → the ways to read it, each the paths of its files. A checkpoint in parts counts
   * only when all are there, for parts are not written in one instant.
   */
  readonly checkpoints: ReadonlyMap<number, readonly (readonly string[])[]>;
  /** Compactions: first version → last versions, with their paths. */
  readonly compactions: ReadonlyMap<number, readonly Compaction[]>;
}

interface Compaction {
  readonly last: number;
  readonly path: string;
}

/** Lists the log from the files of `start` on: one request to the store. */
export async function listLog(store: ObjectStore, start = 0): Promise<LogListing> {
  const commits = new Map<number, number>();
  const checkpoints = new Map<number, string[][]>();
  const compactions = new Map<number, Compaction[]>();
  const parts = new Map<string, string[]>();
  // All that is not of a version, sidecars above all, lies behind and is not asked for.
  for (const { path, modifiedAt } of await store.list(VERSIONED, versionPrefix(start))) {
    const file = parseLogName(path);
    if (file?.kind === "commit") commits.set(file.version, Math.floor(modifiedAt));
    else if (file?.kind === "compaction") entry(compactions, file.version).push({ last: file.last, path });
    else if (file?.kind === "checkpoint") {
      if (file.form !== "part") {
        entry(checkpoints, file.version).push([path]);
        continue;
      }
      const paths = entry(parts, `${file.version}.${file.parts}`);
      paths.push(path);
      if (paths.length === file.parts) entry(checkpoints, file.version).push(paths);
    }
  }
  return { commits, checkpoints, compactions };
}

function entry<K, V>(lists: Map<K, V[]>, key: K): V[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}
