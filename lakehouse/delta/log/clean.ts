/** Cleaning the log of what no reader needs any more (PROTOCOL.md, "Metadata Cleanup"). */
import type { DuckDb } from "../../duckdb/duckdb.ts";
import type { ObjectStore, StoredObject } from "../../store/store.ts";
import { readCheckpoint, sidecarsOf } from "../checkpoint/read.ts";
import { parseLogName, SIDECAR_FOLDER, VERSIONED } from "../log.ts";
import { checkWritable } from "../protocol.ts";
import { retentionOf } from "../retention.ts";
import type { Snapshot } from "../snapshot.ts";
import { CommitTimes } from "./commit-times.ts";
import { type LogListing, listLog } from "./listing.ts";
import { readAhead } from "./read-ahead.ts";
import { timedRange } from "./time-travel.ts";

const DAY_MS = 24 * 3600 * 1000;
const PARALLEL = 16;

export interface CleanOptions {
  /** Only says what would go. */
  readonly dryRun?: boolean;
}

/**
 * Deletes what is older than `delta.logRetentionDuration` at `now` (milliseconds since the epoch) and gives the paths.
 * Every version at or after the cut-off, a midnight in UTC, stays readable: the newest checkpoint at or before it is
 * kept, and has been read to make sure of it, with its commit and all that follows. Nothing goes where the table has
 * no such checkpoint or says `delta.enableExpiredLogCleanup=false`.
 */
export async function cleanLog(
  store: ObjectStore,
  duckdb: DuckDb,
  snapshot: Pick<Snapshot, "protocol" | "metadata">,
  now: number,
  options: CleanOptions = {},
): Promise<string[]> {
  const { protocol, metadata } = snapshot;
  checkWritable(protocol, metadata, store.root);
  if (metadata.configuration["delta.enableExpiredLogCleanup"] === "false") return [];
  const retention =
    retentionOf(metadata.configuration, "delta.logRetentionDuration") ?? Number.POSITIVE_INFINITY;
  const midnight = Math.floor((now - retention) / DAY_MS) * DAY_MS;
  const listing = await listLog(store);
  const kept = await oldestKept(store, duckdb, listing, midnight);
  if (kept === undefined) return [];
  const expired = (await store.list(VERSIONED)).filter(({ path }) => isBefore(path, kept));
  const sidecars = await orphans(store, duckdb, listing, kept, Math.floor(now / DAY_MS) * DAY_MS - DAY_MS);
  // Sidecars last: a checkpoint without its sidecars would be a broken one.
  const batches = [expired, sidecars].map((objects) => objects.map(({ path }) => path));
  if (!options.dryRun) {
    for (const paths of batches) {
      for await (const _ of readAhead(paths, PARALLEL, (path) => store.delete(path)));
    }
  }
  return batches.flat();
}

/** The checkpoint with which the log is to begin; undefined where none will do. */
async function oldestKept(
  store: ObjectStore,
  duckdb: DuckDb,
  listing: LogListing,
  cutOff: number,
): Promise<number | undefined> {
  const range = timedRange(listing);
  if (range === undefined) return undefined;
  const last = await new CommitTimes(store, listing, ...range).lastUntil(cutOff);
  if (last === undefined) return undefined;
  const versions = [...listing.checkpoints.keys()].filter((version) => version <= last);
  for (const version of versions.sort((a, b) => b - a)) {
    const candidates = listing.checkpoints.get(version) ?? [];
    for (const paths of candidates) if (await isWhole(store, duckdb, paths)) return version;
  }
  return undefined;
}

/** Whether a checkpoint can be read to its end and says what the table is. */
async function isWhole(store: ObjectStore, duckdb: DuckDb, paths: readonly string[]): Promise<boolean> {
  const found = new Set<string>();
  try {
    for await (const actions of readCheckpoint(store, duckdb, paths)) {
      for (const action of actions)
        if ("protocol" in action || "metaData" in action) found.add(Object.keys(action).join());
    }
  } catch {
    // Then an older one has to do; what is kept too long harms nobody.
    return false;
  }
  return found.size === 2;
}

function isBefore(path: string, kept: number): boolean {
  const file = parseLogName(path);
  if (file === undefined) return false;
  // A compaction that begins at the checkpoint or before it replaces commits that are not read any more.
  return file.version < kept || (file.kind === "compaction" && file.version === kept);
}

/** Sidecars written before an instant that no checkpoint names which stays. */
async function orphans(
  store: ObjectStore,
  duckdb: DuckDb,
  { checkpoints }: LogListing,
  kept: number,
  before: number,
): Promise<StoredObject[]> {
  const sidecars = (await store.list(SIDECAR_FOLDER)).filter(({ modifiedAt }) => modifiedAt < before);
  if (sidecars.length === 0) return [];
  const named = new Set<string>();
  for (const [version, candidates] of checkpoints) {
    if (version < kept) continue;
    for (const paths of candidates) {
      try {
        for (const path of await sidecarsOf(store, duckdb, paths)) named.add(path);
      } catch {
        // What a damaged checkpoint names is not known: all stay.
        return [];
      }
    }
  }
  return sidecars.filter(({ path }) => !named.has(path));
}
