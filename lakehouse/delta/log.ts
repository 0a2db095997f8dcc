/** The `_delta_log` folder: names of its files, listing, reading of commits. */
import { z } from "zod";
import { TerminalError } from "../errors.ts";
import type { ObjectStore } from "../store/store.ts";
import { type Action, parseCommit } from "./actions.ts";

export const LOG_FOLDER = "_delta_log/";
export const LAST_CHECKPOINT = `${LOG_FOLDER}_last_checkpoint`;

const COMMIT = /^_delta_log\/(\d{20})\.json$/;
const CHECKPOINT = /^_delta_log\/(\d{20})\.checkpoint\.parquet$/;
const OTHER_CHECKPOINT = /^_delta_log\/(\d{20})\.checkpoint\..+$/;

const padded = (version: number) => String(version).padStart(20, "0");

export const commitPath = (version: number) => `${LOG_FOLDER}${padded(version)}.json`;
export const checkpointPath = (version: number) => `${LOG_FOLDER}${padded(version)}.checkpoint.parquet`;

/** What has to be read to know a version: one checkpoint, or none, and the commits after it without gap. */
export interface LogSegment {
  readonly version: number;
  readonly checkpoint?: number;
  readonly commits: readonly number[];
}

const lastCheckpointSchema = z.looseObject({ version: z.number().int() });

/** A folder is not listed in one instant: a commit may be missed whose successor is seen. Looked at again, it is there. */
const LISTINGS = 3;

/**
 * Finds the segment for `version`, or for the newest version. Undefined where there is no table.
 * `_last_checkpoint` only spares listing; when it is absent, stale or damaged the log is listed from the start.
 */
export async function findSegment(store: ObjectStore, version?: number): Promise<LogSegment | undefined> {
  const hint = await readHint(store);
  let start = hint !== undefined && (version === undefined || hint <= version) ? hint : 0;
  for (let tries = 1; ; tries++) {
    const listing = await listLog(store, start, version ?? Number.POSITIVE_INFINITY);
    const { checkpoint, commits } = listing;
    if (start > 0 && checkpoint === undefined) {
      // The hint named a checkpoint that is not there.
      start = 0;
      continue;
    }
    const gap = commits.findIndex((found, i) => found !== (checkpoint ?? -1) + 1 + i);
    if (gap >= 0 && tries < LISTINGS) continue;
    if (gap >= 0) throw gapError(store, listing, gap);
    const newest = commits.at(-1) ?? checkpoint;
    if (version !== undefined && newest !== version && (await allVersions(store)).length > 0) {
      throw await noSuchVersion(store, version);
    }
    return newest === undefined
      ? undefined
      : { version: newest, commits, ...(checkpoint === undefined ? {} : { checkpoint }) };
  }
}

interface Listing {
  /** Newest classic checkpoint. */
  readonly checkpoint: number | undefined;
  /** Whether there are checkpoints of kinds that are not read. */
  readonly hasOther: boolean;
  /** Commits after the checkpoint, ascending. */
  readonly commits: readonly number[];
}

async function listLog(store: ObjectStore, start: number, end: number): Promise<Listing> {
  const commits: number[] = [];
  let checkpoint: number | undefined;
  let hasOther = false;
  for (const { path } of await store.list(LOG_FOLDER, `${LOG_FOLDER}${padded(start)}`)) {
    const version = Number(/\/(\d{20})\./.exec(path)?.[1] ?? Number.NaN);
    if (!(version <= end)) continue;
    if (COMMIT.test(path)) commits.push(version);
    else if (CHECKPOINT.test(path)) checkpoint = version;
    else if (OTHER_CHECKPOINT.test(path)) hasOther = true;
  }
  return { checkpoint, hasOther, commits: commits.filter((version) => version > (checkpoint ?? -1)) };
}

function gapError(
  store: ObjectStore,
  { checkpoint, hasOther, commits }: Listing,
  gap: number,
): TerminalError {
  const expected = (checkpoint ?? -1) + 1 + gap;
  if (hasOther) {
    return new TerminalError(
      `${store.root} starts from a multipart or V2 checkpoint, which cannot be read yet`,
      {
        code: "DELTA_UNSUPPORTED_CHECKPOINT",
        value: expected,
        allowed: "classic checkpoints of one file",
      },
    );
  }
  return new TerminalError(
    `the log of ${store.root} has a gap: version ${expected} is missing before ${commits[gap]}`,
    {
      code: "DELTA_LOG_GAP",
      value: expected,
      next: "Restore the missing file of the _delta_log folder.",
    },
  );
}

async function readHint(store: ObjectStore): Promise<number | undefined> {
  const bytes = await store.get(LAST_CHECKPOINT);
  if (bytes === undefined) return undefined;
  try {
    return lastCheckpointSchema.parse(JSON.parse(Buffer.from(bytes).toString())).version;
  } catch {
    // A hint only: the listing tells the truth.
    return undefined;
  }
}

/** The actions of one commit; undefined where that version does not exist. */
export async function readCommit(store: ObjectStore, version: number): Promise<Action[] | undefined> {
  const bytes = await store.get(commitPath(version));
  if (bytes === undefined) return undefined;
  return parseCommit(Buffer.from(bytes).toString(), `${store.root}/${commitPath(version)}`);
}

async function noSuchVersion(store: ObjectStore, version: number): Promise<TerminalError> {
  const versions = await allVersions(store);
  return new TerminalError(`${store.root} has no version ${version}`, {
    code: "DELTA_NO_SUCH_VERSION",
    value: version,
    allowed: `${versions[0]} to ${versions.at(-1)}`,
  });
}

/** Versions whose commits are still in the log, ascending. */
async function allVersions(store: ObjectStore): Promise<number[]> {
  const objects = await store.list(LOG_FOLDER);
  return objects.flatMap(({ path }) => {
    const match = COMMIT.exec(path);
    return match ? [Number(match[1])] : [];
  });
}

/** Commits that can still be read, newest first, at most `limit`. */
export async function readHistory(
  store: ObjectStore,
  limit: number,
): Promise<{ version: number; actions: Action[] }[]> {
  const versions = (await allVersions(store)).reverse().slice(0, limit);
  return Promise.all(
    versions.map(async (version) => ({ version, actions: (await readCommit(store, version)) ?? [] })),
  );
}
