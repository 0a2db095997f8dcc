/** Where the rows of a gold table come from: positions of the bronze tables, by way of the inputs that models record. */
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Lake, TablePath } from "../../lakehouse/lake.ts";
import { recordOf } from "../models/record.ts";
import { positionOf } from "../trace/bronze-origin.ts";
import type { SourcePosition } from "./target.ts";

export type SourcePositions = Readonly<Record<string, SourcePosition>>;

/** Versions never change: what was found of one is found once. */
const found = new WeakMap<Lake, Map<string, Promise<SourcePositions>>>();
const MOST_FOUND = 2_000;

/**
 * Positions of the bronze tables that a version was made of, by `bronze.table`; where several ways lead to one, the
 * oldest counts. Versions whose log is gone are left out.
 */
export function sourcePositions(
  lake: Lake,
  pipeline: string,
  name: string,
  snapshot: Snapshot,
): Promise<SourcePositions> {
  const known = found.get(lake) ?? new Map<string, Promise<SourcePositions>>();
  found.set(lake, known);
  const key = `${pipeline}.${name}@${snapshot.metadata.id}@${snapshot.version}`;
  const cached = known.get(key);
  if (cached !== undefined) return cached;
  if (known.size >= MOST_FOUND) known.clear();
  const finding = findPositions(lake, pipeline, name, snapshot);
  known.set(key, finding);
  finding.catch(() => known.delete(key));
  return finding;
}

async function findPositions(
  lake: Lake,
  pipeline: string,
  name: string,
  snapshot: Snapshot,
): Promise<SourcePositions> {
  if (name.startsWith("bronze.")) {
    return { [name]: { version: snapshot.version, ...sourceMoment(snapshot) } };
  }
  const positions: Record<string, SourcePosition> = {};
  for (const [input, taken] of Object.entries(recordOf(snapshot)?.inputs ?? {})) {
    const version = await versionOf(lake, pipeline, input, taken);
    if (version === undefined) continue;
    const below = await sourcePositions(lake, pipeline, input, version);
    for (const [table, position] of Object.entries(below)) {
      const other = positions[table];
      if (other === undefined || position.version < other.version) positions[table] = position;
    }
  }
  return positions;
}

/** Where the source was at this version; nothing for tables whose positions are of another kind. */
function sourceMoment(snapshot: Snapshot): Pick<SourcePosition, "lsn" | "at"> | undefined {
  const position = positionOf(snapshot);
  return position && { lsn: position.lsn, ...(position.at === null ? {} : { at: position.at }) };
}

async function versionOf(
  lake: Lake,
  pipeline: string,
  name: string,
  { id, version }: { readonly id: string; readonly version: number },
): Promise<Snapshot | undefined> {
  const table = lake.table(`${pipeline}/${name.replace(".", "/")}` as TablePath);
  const newest = await table.snapshot();
  if (newest?.metadata.id !== id) return undefined;
  if (newest.version === version) return newest;
  // Its log may have been cleaned away since.
  return table.snapshot(version).catch(() => undefined);
}
