/**
 * Reading checkpoints (PROTOCOL.md, "Checkpoints"): V1 in one file or in parts, V2 in Parquet or JSON with or without
 * sidecars. File actions, of which there are many, come as typed columns; the few others through JSON.
 */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StructColumnType } from "../../duckdb/columns.ts";
import { type DuckDb, readParquet } from "../../duckdb/duckdb.ts";
import { identifier } from "../../duckdb/quote.ts";
import { makeScratch } from "../../scratch.ts";
import type { ObjectStore } from "../../store/store.ts";
import { type Action, parseAction, type Sidecar } from "../actions.ts";
import { missingFile, readActions, SIDECAR_FOLDER } from "../log.ts";
import { type FileKind, readFileActions } from "./file-actions.ts";

const FILE_KINDS: readonly FileKind[] = ["add", "remove"];
/** Few a table: protocol, metadata, what applications and domains recorded, what the checkpoint says of itself. */
const OTHER_KINDS = ["protocol", "metaData", "txn", "domainMetadata", "sidecar"];

/**
 * The actions of a checkpoint that consists of the files `paths` and of the sidecars that they name, batch by batch.
 * Rejects with `DELTA_MISSING_FILE` where one is gone.
 */
export async function* readCheckpoint(
  store: ObjectStore,
  duckdb: DuckDb,
  paths: readonly string[],
): AsyncGenerator<readonly Action[], void, undefined> {
  const sidecars: Sidecar[] = [];
  for (const path of paths) {
    const parts = path.endsWith(".json") ? jsonActions(store, path) : parquetActions(store, duckdb, path);
    for await (const actions of parts) {
      for (const action of actions) if ("sidecar" in action) sidecars.push(action.sidecar);
      yield actions;
    }
  }
  for (const sidecar of sidecars) yield* parquetActions(store, duckdb, sidecarPath(sidecar), FILE_KINDS);
}

/** The sidecars that a checkpoint's own files name, as paths of the store. */
export async function sidecarsOf(
  store: ObjectStore,
  duckdb: DuckDb,
  paths: readonly string[],
): Promise<string[]> {
  const found: string[] = [];
  for (const path of paths) {
    const parts = path.endsWith(".json")
      ? jsonActions(store, path)
      : parquetActions(store, duckdb, path, ["sidecar"]);
    for await (const actions of parts) {
      for (const action of actions) if ("sidecar" in action) found.push(sidecarPath(action.sidecar));
    }
  }
  return found;
}

/** Sidecars lie in one folder, whatever writers put before their names. */
function sidecarPath({ path }: Sidecar): string {
  return `${SIDECAR_FOLDER}${decodeURIComponent(path.slice(path.lastIndexOf("/") + 1))}`;
}

async function* jsonActions(store: ObjectStore, path: string): AsyncGenerator<readonly Action[]> {
  const actions = await readActions(store, path);
  if (actions === undefined) throw missingFile(store, path);
  yield actions;
}

async function* parquetActions(
  store: ObjectStore,
  duckdb: DuckDb,
  path: string,
  kinds: readonly string[] = [...FILE_KINDS, ...OTHER_KINDS],
): AsyncGenerator<readonly Action[]> {
  const file = await localFile(store, path);
  try {
    const source = readParquet([file.address]);
    const columns = await duckdb.columnTypes(`SELECT * FROM ${source}`);
    const where = `${store.root}/${path}`;
    yield await otherActions(
      duckdb,
      source,
      OTHER_KINDS.filter((kind) => kinds.includes(kind) && columns.members.has(kind)),
      where,
    );
    for (const kind of FILE_KINDS) {
      const type = columns.members.get(kind);
      if (!kinds.includes(kind) || typeof type !== "object") continue;
      yield* readFileActions(duckdb, source, kind, type satisfies StructColumnType, where);
    }
  } finally {
    await file.release();
  }
}

async function otherActions(
  duckdb: DuckDb,
  source: string,
  kinds: readonly string[],
  where: string,
): Promise<Action[]> {
  if (kinds.length === 0) return [];
  const columns = kinds.map((kind) => `to_json(${identifier(kind)})::VARCHAR`);
  const present = kinds.map((kind) => `${identifier(kind)} IS NOT NULL`);
  const actions: Action[] = [];
  for await (const batch of duckdb.columns(
    `SELECT ${columns.join(", ")} FROM ${source} WHERE ${present.join(" OR ")}`,
  )) {
    kinds.forEach((kind, i) => {
      for (const json of batch.columns[i] ?? []) {
        const action =
          typeof json === "string" ? parseAction(kind, parseWithoutNulls(json), where) : undefined;
        if (action) actions.push(action);
      }
    });
  }
  return actions;
}

/** Columns state absent members as null, at any depth. */
function parseWithoutNulls(json: string): unknown {
  return JSON.parse(json, (_key, value: unknown) => (value === null ? undefined : value));
}

/** A file of the store as one that DuckDB opens; `release` when done. */
async function localFile(
  store: ObjectStore,
  path: string,
): Promise<{ readonly address: string; readonly release: () => Promise<void> }> {
  const address = store.address(path);
  if (address !== undefined) {
    // DuckDB would not tell an absent file from a damaged one.
    if ((await store.getRange(path, 0, 1)) === undefined) throw missingFile(store, path);
    return { address, release: async () => {} };
  }
  const bytes = await store.get(path);
  if (bytes === undefined) throw missingFile(store, path);
  const folder = await makeScratch();
  await writeFile(join(folder, "checkpoint.parquet"), bytes);
  return {
    address: join(folder, "checkpoint.parquet"),
    release: () => rm(folder, { recursive: true, force: true }),
  };
}
