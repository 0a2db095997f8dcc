/** Which files of a table's folder no version within the retention needs (PROTOCOL.md, "Vacuum Protocol Check"). */
import type { ObjectStore, StoredObject } from "../../store/store.ts";
import { CHANGE_FOLDER } from "../change/change-data.ts";
import { layoutOf, nameInFiles, partitionFields } from "../layout.ts";
import { listLog } from "../log/listing.ts";
import { readAhead } from "../log/read-ahead.ts";
import { LOG_FOLDER, readCommit } from "../log.ts";
import { retentionOf } from "../retention.ts";
import type { Snapshot } from "../snapshot.ts";
import type { DeltaTable } from "../table.ts";
import { NeededPaths } from "./stored-path.ts";

/** Commits that are fetched at the same time. */
const PARALLEL = 16;
/** Stores cut the times of objects, some to whole seconds: a commit may be younger than it looks. */
const CUT_MS = 1000;

export interface VacuumPlan {
  /** The version whose files stay, whatever their age. */
  readonly base: Snapshot;
  /** Files that may go, by path. */
  readonly expired: readonly StoredObject[];
}

/**
 * Finds the files that may be deleted at `cutOff`, milliseconds since the epoch. These stay: what the newest version
 * names, what was removed at or after the cut-off with its deletion vectors, change files of commits since then,
 * every file that is not older itself, the log, other tables below this one, and hidden files and folders. The folder
 * is listed before the version is read: what is committed in between is known to be needed.
 */
export async function planVacuum(
  table: DeltaTable,
  cutOffFor: (base: Snapshot) => number,
): Promise<VacuumPlan> {
  const { store } = table;
  const stored = await store.list("");
  const base = await table.existingSnapshot();
  const cutOff = cutOffFor(base);
  const isPartOfTable = tableFiles(stored, base);
  const candidates = stored.filter((o) => o.modifiedAt < cutOff && isPartOfTable(o.path));
  if (candidates.length === 0) return { base, expired: [] };
  const needed = neededBy(base, cutOff);
  const kept =
    table.now() - (retentionOf(base.metadata.configuration, "delta.deletedFileRetentionDuration") ?? 0);
  // Change files stand in commits alone; tombstones older than the table's own retention may be in no checkpoint.
  if (cutOff < kept || candidates.some(({ path }) => path.startsWith(CHANGE_FOLDER))) {
    await addCommitted(store, needed, cutOff);
  }
  return { base, expired: candidates.filter(({ path }) => !needed.has(path)) };
}

/** The files that a version names, and those that it says were removed at or after the cut-off. */
export function neededBy(snapshot: Snapshot, cutOff: number): NeededPaths {
  const needed = new NeededPaths();
  for (const file of snapshot.files.values()) {
    needed.addFile(file.path);
    needed.addVector(file.deletionVector);
  }
  for (const file of snapshot.tombstones.values()) {
    if ((file.deletionTimestamp ?? 0) < cutOff) continue;
    needed.addFile(file.path);
    needed.addVector(file.deletionVector);
  }
  return needed;
}

/** Adds what the commits that were written at or after the cut-off removed, and their change files. */
async function addCommitted(store: ObjectStore, needed: NeededPaths, cutOff: number): Promise<void> {
  const { commits } = await listLog(store);
  const versions = [...commits].flatMap(([version, writtenAt]) =>
    writtenAt >= cutOff - CUT_MS ? [version] : [],
  );
  for await (const actions of readAhead(versions, PARALLEL, (version) => readCommit(store, version))) {
    for (const action of actions ?? []) {
      if ("cdc" in action) needed.addFile(action.cdc.path);
      if (!("remove" in action)) continue;
      needed.addFile(action.remove.path);
      needed.addVector(action.remove.deletionVector);
    }
  }
}

/** Tells which paths are of this table: not its log, not hidden, not of a table below it. */
function tableFiles(stored: readonly StoredObject[], base: Snapshot): (path: string) => boolean {
  const tablesBelow = new Set<string>();
  for (const { path } of stored) {
    const at = path.indexOf(`/${LOG_FOLDER}`);
    if (at >= 0) tablesBelow.add(path.slice(0, at + 1));
  }
  const layout = layoutOf(base.metadata, base.schema);
  const partitions = partitionFields(layout).map((f) => `${nameInFiles(layout, f)}=`);
  const isHidden = (name: string) => /^[._]/.test(name) && !partitions.some((p) => name.startsWith(p));
  const isBelow = (path: string) => {
    for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
      if (tablesBelow.has(path.slice(0, at + 1))) return true;
    }
    return false;
  };
  return (path) => {
    const own = path.startsWith(CHANGE_FOLDER) ? path.slice(CHANGE_FOLDER.length) : path;
    return !own.split("/").some(isHidden) && (tablesBelow.size === 0 || !isBelow(path));
  };
}
