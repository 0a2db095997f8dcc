/** The `_delta_log` folder: names of its files (PROTOCOL.md, "File Types"), reading of commits. */
import { TerminalError } from "../errors.ts";
import type { ObjectStore } from "../store/store.ts";
import { type Action, parseCommit } from "./actions.ts";

export const LOG_FOLDER = "_delta_log/";
export const SIDECAR_FOLDER = `${LOG_FOLDER}_sidecars/`;
export const LAST_CHECKPOINT = `${LOG_FOLDER}_last_checkpoint`;

/** Versions in names of files have 20 digits, so that names order as versions do. */
const padded = (version: number) => String(version).padStart(20, "0");

export const commitPath = (version: number) => `${LOG_FOLDER}${padded(version)}.json`;
export const checkpointPath = (version: number) => `${LOG_FOLDER}${padded(version)}.checkpoint.parquet`;
export const uuidCheckpointPath = (version: number, uuid: string) =>
  `${LOG_FOLDER}${padded(version)}.checkpoint.${uuid}.parquet`;
export const compactionPath = (first: number, last: number) =>
  `${LOG_FOLDER}${padded(first)}.${padded(last)}.compacted.json`;

/** What all names of files of one version begin with; and all that name a version, in the end. */
export const versionPrefix = (version: number) => `${LOG_FOLDER}${padded(version)}`;
export const VERSIONED = `${LOG_FOLDER}0`;

/** What the name of a file of the log says. */
export type LogFile =
  | { readonly kind: "commit" | "checksum"; readonly version: number }
  /** Replaces the commits from `version` to `last`. */
  | { readonly kind: "compaction"; readonly version: number; readonly last: number }
  | { readonly kind: "checkpoint"; readonly version: number; readonly form: "classic" | "uuid" }
  | {
      readonly kind: "checkpoint";
      readonly version: number;
      readonly form: "part";
      readonly part: number;
      readonly parts: number;
    };

const NAME = /^_delta_log\/(\d{20})\.(.+)$/;
const UUID_CHECKPOINT = /^checkpoint\.[0-9a-f-]{36}\.(parquet|json)$/i;
const PART = /^checkpoint\.(\d{10})\.(\d{10})\.parquet$/;
const COMPACTION = /^(\d{20})\.compacted\.json$/;

/** Reads the name of a file of the log; undefined for names that no version has. */
export function parseLogName(path: string): LogFile | undefined {
  const match = NAME.exec(path);
  if (match === null) return undefined;
  const version = Number(match[1]);
  const rest = match[2] ?? "";
  if (rest === "json") return { kind: "commit", version };
  if (rest === "crc") return { kind: "checksum", version };
  if (rest === "checkpoint.parquet") return { kind: "checkpoint", version, form: "classic" };
  if (UUID_CHECKPOINT.test(rest)) return { kind: "checkpoint", version, form: "uuid" };
  const part = PART.exec(rest);
  if (part) {
    return { kind: "checkpoint", version, form: "part", part: Number(part[1]), parts: Number(part[2]) };
  }
  const compaction = COMPACTION.exec(rest);
  return compaction ? { kind: "compaction", version, last: Number(compaction[1]) } : undefined;
}

/** The actions of one commit; undefined where that version does not exist. */
export async function readCommit(store: ObjectStore, version: number): Promise<Action[] | undefined> {
  return readActions(store, commitPath(version));
}

/** The actions of a file of the log that holds one JSON object a line; undefined where there is none. */
export async function readActions(store: ObjectStore, path: string): Promise<Action[] | undefined> {
  const bytes = await store.get(path);
  return bytes === undefined
    ? undefined
    : parseCommit(Buffer.from(bytes).toString(), `${store.root}/${path}`);
}

/** A file of the log was listed and is gone: the log was cleaned meanwhile, or is damaged. */
export function missingFile(store: ObjectStore, path: string): TerminalError {
  return new TerminalError(`${store.root} has lost ${path}`, {
    code: "DELTA_MISSING_FILE",
    value: path,
    next: "Restore the file, or read a version that does not need it.",
  });
}
