/** The state of a table at one version, made by replaying its log. Immutable once loaded. */

import { TerminalError } from "../errors.ts";
import {
  type Action,
  type AddFile,
  type DomainMetadata,
  logicalFile,
  type Metadata,
  type Protocol,
  type RemoveFile,
  type SetTransaction,
} from "./actions.ts";
import { LayeredMap, MapChanges } from "./layered-map.ts";
import { checkReadable } from "./protocol.ts";
import { parseSchema, type StructType } from "./schema.ts";

/** One version of a table. What its files and tombstones state of their commit (`dataChange`) is always false. */
export interface Snapshot {
  readonly version: number;
  readonly protocol: Protocol;
  readonly metadata: Metadata;
  readonly schema: StructType;
  /** Live files by their `path` as it is written. */
  readonly files: ReadonlyMap<string, AddFile>;
  /** Removed files that a reader of an older version may still need, by `logicalFile`; without statistics and tags. */
  readonly tombstones: ReadonlyMap<string, RemoveFile>;
  /** Newest version that each application has recorded. */
  readonly transactions: ReadonlyMap<string, SetTransaction>;
  readonly domains: ReadonlyMap<string, DomainMetadata>;
  /**
   * When the commit was made, in milliseconds since the epoch: the time it states where the table keeps time in its
   * commits, else that of its file, else what the writer's clock said. Undefined where none of them is known.
   */
  readonly timestamp: number | undefined;
}

/** Whether commits state their time in a way that holds (PROTOCOL.md, "In-Commit Timestamps"). */
function keepsTime({ configuration }: Pick<Metadata, "configuration">): boolean {
  return configuration["delta.enableInCommitTimestamps"] === "true";
}

/** Replays commits in order, on nothing or on a snapshot, which stays as it is. */
export class Replay {
  private readonly base: Snapshot | undefined;
  private protocol: Protocol | undefined;
  private metadata: Metadata | undefined;
  private commit: { readonly inCommit: number | undefined; readonly stated: number | undefined } | undefined;
  private readonly files: MapChanges<AddFile>;
  private readonly tombstones: MapChanges<RemoveFile>;
  private readonly transactions: Map<string, SetTransaction>;
  private readonly domains: Map<string, DomainMetadata>;

  constructor(base?: Snapshot) {
    this.base = base;
    this.protocol = base?.protocol;
    this.metadata = base?.metadata;
    this.files = new MapChanges(layered(base?.files));
    this.tombstones = new MapChanges(layered(base?.tombstones));
    this.transactions = new Map(base?.transactions);
    this.domains = new Map(base?.domains);
  }

  /**
   * The actions of one commit, of a compaction or of a part of a checkpoint. Their order does not matter: a file that
   * gets a new deletion vector is removed with the old one and added with the new one, so removals come first.
   */
  apply(actions: readonly Action[]): void {
    this.commit = undefined;
    for (const action of actions) if ("remove" in action) this.remove(action.remove);
    for (const action of actions) {
      if ("add" in action) this.add(action.add);
      else if ("txn" in action) this.transactions.set(action.txn.appId, action.txn);
      else if ("domainMetadata" in action) this.applyDomain(action.domainMetadata);
      else if ("metaData" in action) this.metadata = action.metaData;
      else if ("protocol" in action) this.protocol = action.protocol;
      else if ("commitInfo" in action) this.applyCommitInfo([action]);
    }
  }

  /** Takes only the time from the commit of the version that has been reached. */
  applyCommitInfo(actions: readonly Action[]): void {
    for (const action of actions) {
      if (!("commitInfo" in action)) continue;
      this.commit = { inCommit: action.commitInfo.inCommitTimestamp, stated: action.commitInfo.timestamp };
    }
  }

  /** Whether the time of the version stands in a commit that was not read, as a checkpoint took its place. */
  lacksTime(): boolean {
    return this.metadata !== undefined && keepsTime(this.metadata) && this.commit === undefined;
  }

  /** The state at `version`, whose commit's file was written at `writtenAt`. Rejects what is incomplete or unknown. */
  finish(version: number, where: string, writtenAt: number | undefined): Snapshot {
    const { protocol, metadata, base } = this;
    if (protocol === undefined || metadata === undefined) {
      throw new TerminalError(`${where} has no ${protocol ? "metadata" : "protocol"} at version ${version}`, {
        code: "DELTA_INCOMPLETE_LOG",
        value: version,
        next: "The start of the log is missing; restore the _delta_log folder.",
      });
    }
    const isNew = protocol !== base?.protocol || metadata !== base.metadata;
    if (isNew) checkReadable(protocol, metadata, where);
    const inCommit = keepsTime(metadata) ? this.commit?.inCommit : undefined;
    return {
      version,
      protocol,
      metadata,
      schema: isNew || base === undefined ? parseSchema(metadata.schemaString, where) : base.schema,
      files: this.files.finish(),
      tombstones: this.tombstones.finish(),
      transactions: this.transactions,
      domains: this.domains,
      timestamp: inCommit ?? writtenAt ?? this.commit?.stated,
    };
  }

  private add(add: AddFile): void {
    this.files.set(add.path, add.dataChange ? { ...add, dataChange: false } : add);
    this.tombstones.delete(logicalFile(add));
  }

  private remove(remove: RemoveFile): void {
    const key = logicalFile(remove);
    const { path } = remove;
    const live = this.files.get(path);
    if (live !== undefined && logicalFile(live) === key) this.files.delete(path);
    // Only vacuum looks at tombstones; checkpoints have no place for these either.
    const { stats: _stats, tags: _tags, ...tombstone } = remove;
    this.tombstones.set(key, { ...tombstone, dataChange: false });
  }

  private applyDomain(domain: DomainMetadata): void {
    if (domain.removed) this.domains.delete(domain.domain);
    else this.domains.set(domain.domain, domain);
  }
}

function layered<V>(map: ReadonlyMap<string, V> = new Map()): LayeredMap<V> {
  return map instanceof LayeredMap ? map : LayeredMap.empty<V>().with(map, map.size);
}
