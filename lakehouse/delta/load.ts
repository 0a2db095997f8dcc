/** Loading snapshots: which files of the log to read, in which order. */
import type { DuckDb } from "../duckdb/duckdb.ts";
import type { ObjectStore } from "../store/store.ts";
import { readCheckpoint } from "./checkpoint.ts";
import { findSegment, readCommit } from "./log.ts";
import { Replay, type Snapshot } from "./snapshot.ts";

/** The table at `version`, or at its newest one. Undefined where there is no table. */
export async function loadSnapshot(
  store: ObjectStore,
  duckdb: DuckDb,
  version?: number,
): Promise<Snapshot | undefined> {
  const segment = await findSegment(store, version);
  if (segment === undefined) return undefined;
  const replay = new Replay();
  if (segment.checkpoint !== undefined) replay.apply(await readCheckpoint(store, duckdb, segment.checkpoint));
  // Read in bounded parallel steps; applied in order.
  for (let i = 0; i < segment.commits.length; i += 32) {
    const step = segment.commits.slice(i, i + 32);
    const commits = await Promise.all(step.map((v) => readCommit(store, v)));
    for (const actions of commits) replay.apply(actions ?? []);
  }
  return replay.finish(segment.version, store.root);
}

/** The snapshot brought forward by whatever was committed since; the same object where nothing was. */
export async function refreshSnapshot(store: ObjectStore, base: Snapshot): Promise<Snapshot> {
  let version = base.version;
  let replay: Replay | undefined;
  for (;;) {
    const actions = await readCommit(store, version + 1);
    if (actions === undefined) break;
    version += 1;
    replay ??= new Replay(base);
    replay.apply(actions);
  }
  return replay === undefined ? base : replay.finish(version, store.root);
}
