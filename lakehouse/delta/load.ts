/** Loading snapshots: which files of the log to read, in which order. */
import type { DuckDb } from "../duckdb/duckdb.ts";
import { codeOf, messageOf, TerminalError } from "../errors.ts";
import type { ObjectStore } from "../store/store.ts";
import type { Action } from "./actions.ts";
import { readCheckpoint } from "./checkpoint/read.ts";
import { readLastCheckpoint } from "./log/last-checkpoint.ts";
import { listLog } from "./log/listing.ts";
import { readAhead } from "./log/read-ahead.ts";
import { findSegment, type LogSegment } from "./log/segment.ts";
import { commitPath, missingFile, readActions, readCommit } from "./log.ts";
import { Replay, type Snapshot } from "./snapshot.ts";

/** Commits that are fetched at the same time. */
const PARALLEL = 32;
/** The log may be cleaned between a listing and the reading of what it found. */
const MOST_TRIES = 3;

/**
 * The table at `version`, or at its newest one. Undefined where there is no table. A checkpoint that cannot be read is
 * passed over where an older one, or the log from its start, leads to the same version. Checksum files are not looked
 * at: they cost a request, and where they disagree with the log it is the log that counts.
 */
export async function loadSnapshot(
  store: ObjectStore,
  duckdb: DuckDb,
  version?: number,
): Promise<Snapshot | undefined> {
  const damaged = new Set<number>();
  let failure: unknown;
  for (let tries = 1; ; tries++) {
    const segment = await findSegment(store, version, damaged).catch((error: unknown) => {
      throw failure ?? error;
    });
    if (segment === undefined && failure === undefined) return undefined;
    if (segment === undefined) throw failure;
    try {
      return await replaySegment(store, duckdb, segment);
    } catch (error) {
      failure = error;
      if (codeOf(error) === "DELTA_MISSING_FILE" && tries < MOST_TRIES) continue;
      if (!PASSED_OVER.has(codeOf(error) ?? "") || segment.checkpoint === undefined) throw error;
      damaged.add(segment.checkpoint.version);
    }
  }
}

const PASSED_OVER = new Set(["DELTA_MISSING_FILE", "DELTA_BAD_CHECKPOINT"]);

async function replaySegment(store: ObjectStore, duckdb: DuckDb, segment: LogSegment): Promise<Snapshot> {
  const { version, checkpoint, deltas, writtenAt } = segment;
  const replay = checkpoint ? await replayCheckpoint(store, duckdb, checkpoint.candidates) : new Replay();
  for await (const actions of readAhead(deltas, PARALLEL, (path) => existing(store, path))) {
    replay.apply(actions);
  }
  // Neither checkpoints nor compactions carry the time of the commit.
  if (replay.lacksTime()) replay.applyCommitInfo((await readCommit(store, version)) ?? []);
  return replay.finish(version, store.root, writtenAt);
}

/** The state of a checkpoint, by the first of its candidates that can be read. */
async function replayCheckpoint(
  store: ObjectStore,
  duckdb: DuckDb,
  candidates: readonly (readonly string[])[],
): Promise<Replay> {
  let first: unknown;
  for (const paths of candidates) {
    try {
      const replay = new Replay();
      for await (const actions of readCheckpoint(store, duckdb, paths)) replay.apply(actions);
      return replay;
    } catch (error) {
      first ??= error;
    }
  }
  throw damage(store, candidates, first);
}

/** What is wrong with the content of a checkpoint, told as such. */
function damage(store: ObjectStore, candidates: readonly (readonly string[])[], error: unknown): unknown {
  if (!["DUCKDB_SQL", "DELTA_BAD_ACTION"].includes(codeOf(error) ?? "")) return error;
  const paths = candidates.flat().join(", ");
  return new TerminalError(`a checkpoint of ${store.root} cannot be read: ${messageOf(error)}`, {
    code: "DELTA_BAD_CHECKPOINT",
    value: paths,
    next: "Nothing older leads to this version: restore the checkpoint, or read a later version.",
    cause: error,
  });
}

/**
 * The snapshot brought forward by whatever was committed since; the same object where nothing was. It costs what was
 * committed, not what the table weighs.
 */
export async function refreshSnapshot(store: ObjectStore, duckdb: DuckDb, base: Snapshot): Promise<Snapshot> {
  const next = base.version + 1;
  const actions = await readCommit(store, next);
  if (actions === undefined) return (await cleanedAway(store, duckdb, base)) ?? base;
  const { commits } = await listLog(store, next);
  const replay = new Replay(base);
  replay.apply(actions);
  let version = next;
  const paths: string[] = [];
  for (; commits.has(version + 1); version++) paths.push(commitPath(version + 1));
  for await (const later of readAhead(paths, PARALLEL, (path) => existing(store, path))) replay.apply(later);
  return replay.finish(version, store.root, commits.get(version));
}

/** A snapshot that was held for long: the commits after it may have been cleaned away, with a checkpoint instead. */
async function cleanedAway(
  store: ObjectStore,
  duckdb: DuckDb,
  base: Snapshot,
): Promise<Snapshot | undefined> {
  const last = await readLastCheckpoint(store);
  return last !== undefined && last.version > base.version ? loadSnapshot(store, duckdb) : undefined;
}

async function existing(store: ObjectStore, path: string): Promise<Action[]> {
  const actions = await readActions(store, path);
  if (actions === undefined) throw missingFile(store, path);
  return actions;
}
