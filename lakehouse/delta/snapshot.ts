/** The state of a table at one version, made by replaying its log. Immutable once loaded. */

import { TerminalError } from "../errors.ts";
import type {
  Action,
  AddFile,
  DomainMetadata,
  Metadata,
  Protocol,
  RemoveFile,
  SetTransaction,
} from "./actions.ts";
import { checkReadable } from "./protocol.ts";
import { parseSchema, type StructType } from "./schema.ts";

export interface Snapshot {
  readonly version: number;
  readonly protocol: Protocol;
  readonly metadata: Metadata;
  readonly schema: StructType;
  /** Live files by path. */
  readonly files: ReadonlyMap<string, AddFile>;
  /** Removed files that a reader of an older version may still need, by path. */
  readonly tombstones: ReadonlyMap<string, RemoveFile>;
  /** Newest version that each application has recorded. */
  readonly transactions: ReadonlyMap<string, SetTransaction>;
  readonly domains: ReadonlyMap<string, DomainMetadata>;
  /** Time of the newest commit where it is known, milliseconds since the epoch. */
  readonly timestamp: number | undefined;
}

/** Replays actions in order. Within one commit the order does not matter: a path stands in it once. */
export class Replay {
  protocol: Protocol | undefined;
  metadata: Metadata | undefined;
  timestamp: number | undefined;
  readonly files = new Map<string, AddFile>();
  readonly tombstones = new Map<string, RemoveFile>();
  readonly transactions = new Map<string, SetTransaction>();
  readonly domains = new Map<string, DomainMetadata>();

  constructor(base?: Snapshot) {
    if (base === undefined) return;
    this.protocol = base.protocol;
    this.metadata = base.metadata;
    this.timestamp = base.timestamp;
    this.files = new Map(base.files);
    this.tombstones = new Map(base.tombstones);
    this.transactions = new Map(base.transactions);
    this.domains = new Map(base.domains);
  }

  apply(actions: readonly Action[]): void {
    for (const action of actions) {
      if ("add" in action) {
        this.files.set(action.add.path, action.add);
        this.tombstones.delete(action.add.path);
      } else if ("remove" in action) {
        this.files.delete(action.remove.path);
        this.tombstones.set(action.remove.path, action.remove);
      } else if ("txn" in action) this.transactions.set(action.txn.appId, action.txn);
      else if ("domainMetadata" in action) this.applyDomain(action.domainMetadata);
      else if ("metaData" in action) this.metadata = action.metaData;
      else if ("protocol" in action) this.protocol = action.protocol;
      else this.timestamp = action.commitInfo.timestamp ?? this.timestamp;
    }
  }

  finish(version: number, where: string): Snapshot {
    const { protocol, metadata } = this;
    if (protocol === undefined || metadata === undefined) {
      throw new TerminalError(`${where} has no ${protocol ? "metadata" : "protocol"} at version ${version}`, {
        code: "DELTA_INCOMPLETE_LOG",
        value: version,
        next: "The start of the log is missing; restore the _delta_log folder.",
      });
    }
    checkReadable(protocol, metadata, where);
    const { files, tombstones, transactions, domains, timestamp } = this;
    const schema = parseSchema(metadata.schemaString, where);
    return { version, protocol, metadata, schema, files, tombstones, transactions, domains, timestamp };
  }

  private applyDomain(domain: DomainMetadata): void {
    if (domain.removed) this.domains.delete(domain.domain);
    else this.domains.set(domain.domain, domain);
  }
}
