/**
 * Classic checkpoints: the whole state of one version as a Parquet file (PROTOCOL.md, "Checkpoints"). DuckDB does
 * the Parquet, through JSON on both sides. A checkpoint is always made from a whole snapshot.
 */
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type DuckDb, readParquet } from "../duckdb/duckdb.ts";
import { identifier, literal } from "../duckdb/quote.ts";
import { TerminalError } from "../errors.ts";
import { makeScratch } from "../scratch.ts";
import type { ObjectStore } from "../store/store.ts";
import { type Action, CHECKPOINT_KINDS, parseAction } from "./actions.ts";
import { checkpointPath, LAST_CHECKPOINT } from "./log.ts";
import type { Snapshot } from "./snapshot.ts";

/** How long a tombstone is kept where the table does not say: seven days, as the protocol's reference does. */
const TOMBSTONE_RETENTION_MS = 7 * 24 * 3600 * 1000;

const COLUMNS: Readonly<Record<(typeof CHECKPOINT_KINDS)[number], string>> = {
  txn: "STRUCT(appId VARCHAR, version BIGINT, lastUpdated BIGINT)",
  add: "STRUCT(path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, modificationTime BIGINT, dataChange BOOLEAN, stats VARCHAR, tags MAP(VARCHAR, VARCHAR))",
  remove:
    "STRUCT(path VARCHAR, deletionTimestamp BIGINT, dataChange BOOLEAN, extendedFileMetadata BOOLEAN, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT)",
  metaData:
    "STRUCT(id VARCHAR, name VARCHAR, description VARCHAR, format STRUCT(provider VARCHAR, options MAP(VARCHAR, VARCHAR)), schemaString VARCHAR, partitionColumns VARCHAR[], configuration MAP(VARCHAR, VARCHAR), createdTime BIGINT)",
  protocol:
    "STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], writerFeatures VARCHAR[])",
  domainMetadata: "STRUCT(domain VARCHAR, configuration VARCHAR, removed BOOLEAN)",
};

/** The actions that the checkpoint of `version` holds. */
export async function readCheckpoint(store: ObjectStore, duckdb: DuckDb, version: number): Promise<Action[]> {
  const path = checkpointPath(version);
  return withFolder(async (folder) => {
    const local = store.address(path) ?? (await fetchTo(store, path, join(folder, "checkpoint.parquet")));
    const source = readParquet([local]);
    const present = await duckdb.rows(`DESCRIBE SELECT * FROM ${source}`);
    const names = new Set(present.map((row) => String(row.column_name)));
    const kinds = CHECKPOINT_KINDS.filter((kind) => names.has(kind));
    const columns = kinds.map((kind) => `to_json(${identifier(kind)})::VARCHAR AS ${identifier(kind)}`);
    const rows = await duckdb.rows(`SELECT ${columns.join(", ")} FROM ${source}`);
    const actions: Action[] = [];
    for (const row of rows) {
      for (const kind of kinds) {
        const json = row[kind];
        if (typeof json !== "string") continue;
        const action = parseAction(kind, JSON.parse(json), `${store.root}/${path}`);
        if (action) actions.push(action);
      }
    }
    return actions;
  });
}

/** Writes the checkpoint of a snapshot, then the hint that names it. Safe to do twice, by anyone. */
export async function writeCheckpoint(
  store: ObjectStore,
  duckdb: DuckDb,
  snapshot: Snapshot,
  now: number,
): Promise<void> {
  const actions = checkpointActions(snapshot, now);
  await withFolder(async (folder) => {
    const json = join(folder, "state.jsonl");
    const parquet = join(folder, "state.parquet");
    const lines = actions.map((action) => JSON.stringify(action));
    await writeFile(json, `${lines.join("\n")}\n`);
    // DuckDB allocates twice the largest object that it must expect; UTF-8 takes at most three bytes a unit.
    const longest = lines.reduce((most, line) => Math.max(most, 3 * line.length), 1 << 20);
    const columns = CHECKPOINT_KINDS.map((kind) => `${kind}: ${literal(COLUMNS[kind])}`).join(", ");
    await duckdb.rows(
      `COPY (SELECT * FROM read_json(${literal(json)}, format = 'newline_delimited', maximum_object_size = ${longest}, columns = {${columns}})) TO ${literal(parquet)} (FORMAT parquet, COMPRESSION zstd)`,
    );
    const { size } = await stat(parquet);
    await store.put(checkpointPath(snapshot.version), await readFile(parquet));
    const hint = {
      version: snapshot.version,
      size: actions.length,
      sizeInBytes: size,
      numOfAddFiles: snapshot.files.size,
    };
    await store.put(LAST_CHECKPOINT, Buffer.from(JSON.stringify(hint)));
  });
}

function checkpointActions(snapshot: Snapshot, now: number): Action[] {
  const oldest = now - TOMBSTONE_RETENTION_MS;
  return [
    { protocol: snapshot.protocol },
    { metaData: snapshot.metadata },
    ...[...snapshot.transactions.values()].map((txn) => ({ txn })),
    ...[...snapshot.domains.values()].map((domainMetadata) => ({ domainMetadata })),
    ...[...snapshot.files.values()].map((add) => ({ add: { ...add, dataChange: false } })),
    ...[...snapshot.tombstones.values()]
      .filter((remove) => (remove.deletionTimestamp ?? 0) > oldest)
      .map((remove) => ({ remove: { ...remove, dataChange: false } })),
  ];
}

async function fetchTo(store: ObjectStore, path: string, file: string): Promise<string> {
  const bytes = await store.get(path);
  if (bytes === undefined) {
    throw new TerminalError(`checkpoint ${path} of ${store.root} vanished`, {
      code: "DELTA_MISSING_FILE",
      value: path,
    });
  }
  await writeFile(file, bytes);
  return file;
}

async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await makeScratch();
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
