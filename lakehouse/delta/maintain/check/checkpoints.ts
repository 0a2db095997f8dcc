/** Whether checkpoints, checksums and commits tell the same state. */
import { z } from "zod";
import type { DuckDb } from "../../../duckdb/duckdb.ts";
import { messageOf } from "../../../errors.ts";
import type { ObjectStore } from "../../../store/store.ts";
import { logicalFile } from "../../actions.ts";
import { readCheckpoint } from "../../checkpoint/read.ts";
import { type LogListing, listLog } from "../../log/listing.ts";
import { readAhead } from "../../log/read-ahead.ts";
import { parseLogName, readCommit, VERSIONED, versionPrefix } from "../../log.ts";
import { featuresOf } from "../../protocol.ts";
import { Replay, type Snapshot } from "../../snapshot.ts";
import { type Finding, someOf } from "./finding.ts";

const PARALLEL = 16;

/** Reads the newest checkpoint, or all of them, and replays the commits before it as far as they are there. */
export async function checkCheckpoints(
  store: ObjectStore,
  duckdb: DuckDb,
  deep: boolean,
): Promise<Finding[]> {
  const listing = await listLog(store);
  const versions = [...listing.checkpoints.keys()].sort((a, b) => a - b);
  const findings: Finding[] = [];
  let former: Snapshot | undefined;
  for (const [i, version] of versions.entries()) {
    const isNewest = i === versions.length - 1;
    // The one before is where the replay begins.
    if (!deep && i < versions.length - 2) continue;
    const states: Snapshot[] = [];
    for (const paths of listing.checkpoints.get(version) ?? []) {
      try {
        states.push(await stateOf(store, duckdb, paths, version));
      } catch (error) {
        findings.push(unreadable(paths, isNewest, error));
      }
    }
    const replayed = deep || isNewest ? await replay(store, listing, former, version) : undefined;
    for (const state of states) if (replayed) findings.push(...disagreements(version, state, replayed));
    former = states[0] ?? former;
  }
  return findings;
}

async function stateOf(
  store: ObjectStore,
  duckdb: DuckDb,
  paths: readonly string[],
  version: number,
): Promise<Snapshot> {
  const replay = new Replay();
  for await (const actions of readCheckpoint(store, duckdb, paths)) replay.apply(actions);
  return replay.finish(version, store.root, undefined);
}

function unreadable(paths: readonly string[], isNewest: boolean, error: unknown): Finding {
  return {
    severity: isNewest ? "error" : "warning",
    code: "checkpoint-unreadable",
    message: `a checkpoint cannot be read: ${messageOf(error)}`,
    value: someOf(paths),
    next: "While the commits before it are there, move its files away: readers replay those.",
  };
}

/** The state by commits alone, from the start or from an earlier checkpoint; undefined where some are gone. */
async function replay(
  store: ObjectStore,
  { commits }: LogListing,
  from: Snapshot | undefined,
  version: number,
): Promise<Snapshot | undefined> {
  const whole = Array.from({ length: version + 1 }, (_, v) => v);
  const base = whole.every((v) => commits.has(v)) ? undefined : from;
  const missing = base === undefined ? whole : whole.slice(base.version + 1);
  if (!missing.every((v) => commits.has(v))) return undefined;
  const state = new Replay(base);
  for await (const actions of readAhead(missing, PARALLEL, (v) => readCommit(store, v)))
    state.apply(actions ?? []);
  return state.finish(version, store.root, undefined);
}

function disagreements(version: number, checkpoint: Snapshot, replayed: Snapshot): Finding[] {
  const keys = (snapshot: Snapshot) => new Set([...snapshot.files.values()].map(logicalFile));
  const [inCheckpoint, inCommits] = [keys(checkpoint), keys(replayed)];
  const name = (key: string) => key.split("\n")[0] ?? "";
  const extra = [...inCheckpoint].filter((key) => !inCommits.has(key)).map(name);
  const lost = [...inCommits].filter((key) => !inCheckpoint.has(key)).map(name);
  const differs = [
    ...(lost.length > 0 ? [`it lacks ${someOf(lost)}`] : []),
    ...(extra.length > 0 ? [`it adds ${someOf(extra)}`] : []),
    ...(JSON.stringify(checkpoint.schema) === JSON.stringify(replayed.schema) ? [] : ["its columns differ"]),
    ...(featureText(checkpoint) === featureText(replayed) ? [] : ["its protocol differs"]),
  ];
  if (differs.length === 0) return [];
  return [
    {
      severity: "error",
      code: "checkpoint-disagrees",
      message: `the checkpoint of version ${version} tells another state than the commits`,
      value: differs.join("; "),
      next: "Move the checkpoint's files and _last_checkpoint away: readers then replay the commits, which are right.",
    },
  ];
}

function featureText({ protocol }: Snapshot): string {
  return [protocol.minReaderVersion, ...[...featuresOf(protocol)].sort()].join();
}

const checksumSchema = z.looseObject({
  tableSizeBytes: z.number().nullish(),
  numFiles: z.number().nullish(),
});

/** Compares a version with its checksum file (PROTOCOL.md, "Version Checksum File"), where it has one. */
export async function checkChecksum(store: ObjectStore, snapshot: Snapshot): Promise<Finding[]> {
  const found = (await store.list(VERSIONED, versionPrefix(snapshot.version))).find(({ path }) => {
    const file = parseLogName(path);
    return file?.kind === "checksum" && file.version === snapshot.version;
  });
  const bytes = found && (await store.get(found.path));
  if (found === undefined || bytes === undefined) return [];
  const next = `Delete ${found.path}: readers do without it. Then compare the files with a backup.`;
  let checksum: z.infer<typeof checksumSchema>;
  try {
    checksum = checksumSchema.parse(JSON.parse(Buffer.from(bytes).toString()));
  } catch {
    return [
      { severity: "warning", code: "checksum-unreadable", message: `${found.path} cannot be read`, next },
    ];
  }
  const size = [...snapshot.files.values()].reduce((sum, file) => sum + file.size, 0);
  const wrong = [
    ...(checksum.numFiles === snapshot.files.size
      ? []
      : [`${checksum.numFiles} files, not ${snapshot.files.size}`]),
    ...(checksum.tableSizeBytes === size ? [] : [`${checksum.tableSizeBytes} bytes, not ${size}`]),
  ];
  if (wrong.length === 0) return [];
  return [
    {
      severity: "warning",
      code: "checksum-disagrees",
      message: `the checksum of version ${snapshot.version} tells another state than the log`,
      value: wrong.join("; "),
      next,
    },
  ];
}
