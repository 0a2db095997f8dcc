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

/**
 * Finds the segment for `version`, or for the newest version. Undefined where there is no table.
 * `_last_checkpoint` only spares listing; when it is absent, stale or damaged the log is listed from the start.
 */
export async function findSegment(store: ObjectStore, version?: number): Promise<LogSegment | undefined> {
  const hint = await readHint(store);
  const start = hint !== undefined && (version === undefined || hint <= version) ? hint : 0;
  const segment = await listSegment(store, start, version);
  return segment === undefined && start > 0 ? listSegment(store, 0, version) : segment;
}

async function listSegment(
  store: ObjectStore,
  start: number,
  version?: number,
): Promise<LogSegment | undefined> {
  const commits: number[] = [];
  let checkpoint: number | undefined;
  let otherCheckpoint: number | undefined;
  for (const { path } of await store.list(LOG_FOLDER, `${LOG_FOLDER}${padded(start)}`)) {
    const commit = COMMIT.exec(path);
    if (commit && Number(commit[1]) <= (version ?? Infinity)) commits.push(Number(commit[1]));
    const found = CHECKPOINT.exec(path);
    if (found && Number(found[1]) <= (version ?? Infinity)) checkpoint = Number(found[1]);
    else if (OTHER_CHECKPOINT.test(path)) otherCheckpoint = Number(OTHER_CHECKPOINT.exec(path)?.[1]);
  }
  // The hint named a checkpoint that is not there: the whole log has to be listed.
  if (start > 0 && checkpoint === undefined) return undefined;
  const base = checkpoint ?? -1;
  const after = commits.filter((v) => v > base);
  const newest = after.at(-1) ?? checkpoint;
  if (newest === undefined) {
    if (version !== undefined && start === 0 && (await allVersions(store)).length > 0)
      throw await noSuchVersion(store, version);
    return undefined;
  }
  after.forEach((found, i) => {
    const expected = base + 1 + i;
    if (found === expected) return;
    const unsupported = otherCheckpoint !== undefined && checkpoint === undefined;
    throw new TerminalError(
      unsupported
        ? `${store.root} starts from a multipart or V2 checkpoint, which cannot be read yet`
        : `the log of ${store.root} has a gap: version ${expected} is missing before ${found}`,
      { code: unsupported ? "DELTA_UNSUPPORTED_CHECKPOINT" : "DELTA_LOG_GAP", value: expected },
    );
  });
  if (version !== undefined && newest !== version) throw await noSuchVersion(store, version);
  return { version: newest, commits: after, ...(checkpoint === undefined ? {} : { checkpoint }) };
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
