/**
 * Writing checkpoints (PROTOCOL.md, "Checkpoints"): the whole state of one version as a Parquet file. Classic V1 as a
 * rule, V2 under a name of its own where the table asks for it. A checkpoint is always made from a whole snapshot.
 */
import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { DuckDb } from "../../duckdb/duckdb.ts";
import { identifier, literal } from "../../duckdb/quote.ts";
import { TerminalError } from "../../errors.ts";
import type { ObjectStore } from "../../store/store.ts";
import type { Action } from "../actions.ts";
import { writeLastCheckpoint } from "../log/last-checkpoint.ts";
import { checkpointPath, uuidCheckpointPath } from "../log.ts";
import { featuresOf } from "../protocol.ts";
import { retentionOf } from "../retention.ts";
import type { Snapshot } from "../snapshot.ts";
import { V1_COLUMNS, V2_COLUMNS } from "./columns.ts";
import { checkpointSelect } from "./parsed-columns.ts";

/**
 * Writes the checkpoint of a snapshot, then the hint that names it. Safe to do twice, by anyone: it appears in one
 * instant, and what another wrote at its place says the same. `now`, in milliseconds since the epoch, decides which
 * tombstones and transactions have expired.
 */
export async function writeCheckpoint(
  store: ObjectStore,
  duckdb: DuckDb,
  snapshot: Snapshot,
  now: number,
): Promise<void> {
  const isV2 = wantsV2(snapshot);
  const path = isV2 ? uuidCheckpointPath(snapshot.version, randomUUID()) : checkpointPath(snapshot.version);
  const folder = await store.stagingFolder();
  try {
    const parquet = join(folder, "state.parquet");
    const size = await writeParquet(duckdb, folder, parquet, snapshot, now);
    const { size: sizeInBytes } = await stat(parquet);
    await store.putFile(path, parquet);
    const about = { path: path.slice(path.lastIndexOf("/") + 1), sizeInBytes, modificationTime: now };
    await writeLastCheckpoint(store, {
      version: snapshot.version,
      size,
      sizeInBytes,
      numOfAddFiles: snapshot.files.size,
      ...(isV2 ? { v2Checkpoint: about } : {}),
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function wantsV2({ protocol, metadata }: Snapshot): boolean {
  const isAsked = metadata.configuration["delta.checkpointPolicy"] === "v2";
  return isAsked && featuresOf(protocol).has("v2Checkpoint");
}

/** Writes the state by way of a file of JSON lines, of which only a piece is in memory; gives the number of actions. */
async function writeParquet(
  duckdb: DuckDb,
  folder: string,
  parquet: string,
  snapshot: Snapshot,
  now: number,
): Promise<number> {
  const json = join(folder, "state.jsonl");
  const lines = new JsonLines(stateActions(snapshot, now));
  await pipeline(lines.chunks(), createWriteStream(json));
  const columns = wantsV2(snapshot) ? V2_COLUMNS : V1_COLUMNS;
  const types = Object.entries(columns).map(([kind, type]) => `${identifier(kind)}: ${literal(type)}`);
  const select = checkpointSelect(snapshot, Object.keys(columns));
  const [written] = await duckdb.rows(
    `COPY (SELECT ${select} FROM read_json(${literal(json)}, format = 'newline_delimited', maximum_object_size = ${lines.longest}, columns = {${types.join(", ")}})) TO ${literal(parquet)} (FORMAT parquet, COMPRESSION zstd)`,
  );
  if (Number(written?.Count) !== lines.count) {
    throw new TerminalError(`the checkpoint of version ${snapshot.version} came out incomplete`, {
      code: "DELTA_BAD_CHECKPOINT",
      value: Number(written?.Count),
      allowed: `${lines.count} actions`,
    });
  }
  return lines.count;
}

/** The state of a snapshot, without what has expired. */
function* stateActions(snapshot: Snapshot, now: number): Generator<Action> {
  const { configuration } = snapshot.metadata;
  const since = (property: Parameters<typeof retentionOf>[1]) =>
    now - (retentionOf(configuration, property) ?? Number.POSITIVE_INFINITY);
  const [oldestRemove, oldestTxn] = [
    since("delta.deletedFileRetentionDuration"),
    since("delta.setTransactionRetentionDuration"),
  ];
  if (wantsV2(snapshot)) yield { checkpointMetadata: { version: snapshot.version } };
  yield { protocol: snapshot.protocol };
  yield { metaData: snapshot.metadata };
  for (const txn of snapshot.transactions.values()) {
    // One that does not say when it was recorded never expires.
    if ((txn.lastUpdated ?? Number.POSITIVE_INFINITY) > oldestTxn) yield { txn };
  }
  for (const domainMetadata of snapshot.domains.values()) yield { domainMetadata };
  for (const add of snapshot.files.values()) yield { add };
  for (const remove of snapshot.tombstones.values()) {
    if ((remove.deletionTimestamp ?? 0) > oldestRemove) yield { remove };
  }
}

const CHUNK_CHARACTERS = 256 * 1024;

/** Actions as lines of JSON in chunks of some size. */
class JsonLines {
  count = 0;
  /** An upper bound of the longest line in bytes, at least one megabyte: DuckDB allocates by it. */
  longest = 1 << 20;
  private readonly actions: Iterable<Action>;

  constructor(actions: Iterable<Action>) {
    this.actions = actions;
  }

  *chunks(): Generator<string> {
    let chunk = "";
    for (const action of this.actions) {
      const line = JSON.stringify(action);
      this.count += 1;
      // UTF-8 takes at most three bytes for a unit of UTF-16.
      this.longest = Math.max(this.longest, 3 * line.length);
      chunk += `${line}\n`;
      if (chunk.length < CHUNK_CHARACTERS) continue;
      yield chunk;
      chunk = "";
    }
    yield chunk;
  }
}
