/** Which files of the log have to be read to know a version. */
import { TerminalError } from "../../errors.ts";
import type { ObjectStore } from "../../store/store.ts";
import { commitPath } from "../log.ts";
import { readLastCheckpoint } from "./last-checkpoint.ts";
import { type LogListing, listLog } from "./listing.ts";

/** One checkpoint, or none, and the commits after it without gap. */
export interface LogSegment {
  readonly version: number;
  /** `candidates`: the ways to read it, each the paths of its files; one is enough. */
  readonly checkpoint?: { readonly version: number; readonly candidates: readonly (readonly string[])[] };
  /** Paths of commits, or of compactions that replace several, in order. */
  readonly deltas: readonly string[];
  /** When the commit of `version` was written, by its file; milliseconds since the epoch. */
  readonly writtenAt: number | undefined;
}

/** A folder is not listed in one instant: a commit may be missed whose successor is seen. Looked at again, it is there. */
const LISTINGS = 3;

/**
 * Finds the segment for `version`, or for the newest version. Undefined where there is no table. The hint of
 * `_last_checkpoint` only spares listing; when it is absent, stale or damaged the log is listed from the start.
 * Checkpoints of the versions `damaged` do not count. Rejects with `DELTA_NO_SUCH_VERSION` (says what there is) or `DELTA_LOG_GAP`.
 */
export async function findSegment(
  store: ObjectStore,
  version?: number,
  damaged: ReadonlySet<number> = new Set(),
): Promise<LogSegment | undefined> {
  let start = await firstToList(store, version, damaged);
  for (let tries = 1; ; tries++) {
    const listing = without(await listLog(store, start), damaged);
    const segment = segmentOf(listing, version);
    if (segment !== undefined) return segment;
    if (start === 0) {
      if (listing.commits.size === 0 && listing.checkpoints.size === 0) return undefined;
      if (tries >= LISTINGS) throw unreadable(store, listing, version);
    }
    start = 0;
  }
}

/** The version of the hint, where it is of use. */
async function firstToList(
  store: ObjectStore,
  version: number | undefined,
  damaged: ReadonlySet<number>,
): Promise<number> {
  const hint = (await readLastCheckpoint(store))?.version ?? 0;
  return damaged.size > 0 || hint > (version ?? hint) ? 0 : hint;
}

function without(listing: LogListing, damaged: ReadonlySet<number>): LogListing {
  if (damaged.size === 0) return listing;
  const checkpoints = [...listing.checkpoints].filter(([version]) => !damaged.has(version));
  return { ...listing, checkpoints: new Map(checkpoints) };
}

/** The segment that a listing has for a version, or for its newest; undefined where it has none without gap. */
function segmentOf(listing: LogListing, version?: number): LogSegment | undefined {
  const limit = version ?? Number.POSITIVE_INFINITY;
  const checkpoint = newestUpTo(listing.checkpoints.keys(), limit);
  const target = version ?? Math.max(newestUpTo(listing.commits.keys(), limit) ?? -1, checkpoint ?? -1);
  const { reached, paths } = advance(listing, checkpoint ?? -1, target);
  if (reached !== target || target < 0) return undefined;
  const candidates = checkpoint === undefined ? undefined : listing.checkpoints.get(checkpoint);
  return {
    version: target,
    ...(checkpoint !== undefined && candidates ? { checkpoint: { version: checkpoint, candidates } } : {}),
    deltas: paths,
    writtenAt: listing.commits.get(target),
  };
}

/** How far commits without gap lead beyond a version, by the fewest files; not beyond `target`. */
function advance({ commits, compactions }: LogListing, from: number, target: number) {
  const paths: string[] = [];
  let reached = from;
  while (reached < target) {
    const next = reached + 1;
    const longest = (compactions.get(next) ?? [])
      .filter(({ last }) => last > next && last <= target)
      .reduce<{ last: number; path: string } | undefined>(
        (best, found) => (best && best.last >= found.last ? best : found),
        undefined,
      );
    if (longest === undefined && !commits.has(next)) break;
    paths.push(longest?.path ?? commitPath(next));
    reached = longest?.last ?? next;
  }
  return { reached, paths };
}

function newestUpTo(versions: Iterable<number>, limit: number): number | undefined {
  let newest: number | undefined;
  for (const version of versions) if (version <= limit && version >= (newest ?? 0)) newest = version;
  return newest;
}

/** Versions that can be read, as ranges `[first, last]`, ascending. */
export function readableRanges(listing: LogListing): (readonly [first: number, last: number])[] {
  const ranges: [number, number][] = [];
  for (const start of [-1, ...listing.checkpoints.keys()].sort((a, b) => a - b)) {
    const before = ranges.at(-1);
    if (before && start <= before[1]) continue;
    const { reached } = advance(listing, start, Number.POSITIVE_INFINITY);
    if (reached < 0) continue;
    // Where commits lead up to a checkpoint the range goes on.
    if (before && before[1] + 1 === start) before[1] = reached;
    else ranges.push([Math.max(0, start), reached]);
  }
  return ranges;
}

function unreadable(store: ObjectStore, listing: LogListing, version?: number): TerminalError {
  const ranges = readableRanges(listing);
  const newest = newestUpTo(listing.commits.keys(), version ?? Number.POSITIVE_INFINITY) ?? -1;
  const checkpoint = newestUpTo(listing.checkpoints.keys(), newest) ?? -1;
  const missing = advance(listing, checkpoint, newest).reached + 1;
  // A version before all that is left was cleaned away; one in the middle is a hole.
  if (missing <= newest && (version === undefined || missing > 0)) {
    return new TerminalError(
      `the log of ${store.root} has a gap: version ${missing} is missing before ${firstAfter(listing, missing)}`,
      {
        code: "DELTA_LOG_GAP",
        value: missing,
        next: "Restore the missing file of the _delta_log folder.",
      },
    );
  }
  return new TerminalError(`${store.root} has no version ${version}`, {
    code: "DELTA_NO_SUCH_VERSION",
    value: version,
    allowed: ranges.map(([first, last]) => (first === last ? `${first}` : `${first} to ${last}`)).join(", "),
    next: "Choose one of these; older ones go when the log is cleaned (delta.logRetentionDuration).",
  });
}

/** The first commit after a missing one. */
function firstAfter(listing: LogListing, missing: number): number {
  return [...listing.commits.keys()].find((version) => version > missing) ?? missing;
}
