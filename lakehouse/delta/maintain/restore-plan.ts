/** What takes a table from one version back to the state of another. */
import { type Action, type AddFile, type DomainMetadata, logicalFile, type Metadata } from "../actions.ts";
import { MAX_COLUMN_ID } from "../mapping.ts";
import { removeOf } from "../metadata.ts";
import { featuresOf, protocolWith } from "../protocol.ts";
import type { Snapshot } from "../snapshot.ts";

export interface RestorePlan {
  /** Files that the version has and the table does not have any more. */
  readonly added: readonly AddFile[];
  /** Files that the table has and the version had not. */
  readonly removed: readonly AddFile[];
  /** Protocol, metadata and domains as far as they change. */
  readonly state: readonly Action[];
}

/**
 * Compares two versions. Columns, partitioning, properties and comments go back. The protocol does not: readers may
 * rely on what it promises, and files of versions in between may need it. What applications and domains recorded
 * stays: a source was told that its rows arrived and will not send them again, and a position that went back would
 * make it add them twice.
 */
export function planRestore(current: Snapshot, target: Snapshot): RestorePlan {
  const has = (snapshot: Snapshot) => new Set([...snapshot.files.values()].map(logicalFile));
  const [now, then] = [has(current), has(target)];
  return {
    added: [...target.files.values()].filter((file) => !now.has(logicalFile(file))),
    removed: [...current.files.values()].filter((file) => !then.has(logicalFile(file))),
    state: stateChanges(current, target),
  };
}

/** The actions of a restore at `now`, milliseconds since the epoch. */
export function restoreActions({ added, removed, state }: RestorePlan, now: number): Action[] {
  return [
    ...state,
    ...removed.map((file) => ({ remove: removeOf(file, now) })),
    ...added.map((file) => ({ add: { ...file, dataChange: true } })),
  ];
}

function stateChanges(current: Snapshot, target: Snapshot): Action[] {
  const actions: Action[] = [];
  const protocol = protocolWith(featuresOf(target.protocol), current.protocol);
  if (protocol !== current.protocol) actions.push({ protocol });
  const metaData = restoredMetadata(current.metadata, target.metadata);
  if (!sameMetadata(metaData, current.metadata)) actions.push({ metaData });
  const clustering = clusteringChange(current, target);
  if (clustering) actions.push({ domainMetadata: clustering });
  return actions;
}

/** Properties that say since when commits state their time: time does not go back with the rows. */
const TIME_KEYS = [
  "delta.enableInCommitTimestamps",
  "delta.inCommitTimestampEnablementVersion",
  "delta.inCommitTimestampEnablementTimestamp",
];

function restoredMetadata(current: Metadata, target: Metadata): Metadata {
  const configuration = { ...target.configuration };
  for (const key of TIME_KEYS) {
    const value = current.configuration[key];
    if (value === undefined) delete configuration[key];
    else configuration[key] = value;
  }
  // An id must never name two columns, not even in files that only older versions name.
  const ids = [current, target].map((m) => Number(m.configuration[MAX_COLUMN_ID] ?? Number.NaN));
  const highest = Math.max(...ids.filter((id) => Number.isInteger(id)));
  if (Number.isFinite(highest)) configuration[MAX_COLUMN_ID] = String(highest);
  return { ...target, id: current.id, configuration };
}

function sameMetadata(a: Metadata, b: Metadata): boolean {
  const text = (m: Metadata) =>
    JSON.stringify({ ...m, configuration: Object.entries(m.configuration).sort() });
  return text(a) === text(b);
}

const CLUSTERING = "delta.clustering";

/** Names columns, and so goes back with them. */
function clusteringChange(current: Snapshot, target: Snapshot): DomainMetadata | undefined {
  const [now, then] = [current, target].map((snapshot) => snapshot.domains.get(CLUSTERING));
  if (now?.configuration === then?.configuration) return undefined;
  return then ?? (now && { ...now, removed: true });
}
