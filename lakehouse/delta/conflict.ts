/**
 * When two commits made on the same version cannot both stand, one after the other. The protocol leaves this to
 * writers; the rules here give serializability: what a commit was decided on must still hold where it lands.
 */
import { type Action, type AddFile, canonicalPath } from "./actions.ts";

/** What a commit was decided on. */
export type Reads =
  /** Nothing: a blind append, right whatever others do. */
  | "nothing"
  /** All rows of the table. */
  | "table"
  /** These files, and the absence of others that would have mattered. */
  | {
      /** By `canonicalPath`. */
      readonly files: ReadonlySet<string>;
      /** Whether a file that a rival added could hold rows that this commit would have had to look at. */
      readonly concerns: (file: AddFile) => boolean;
    };

/** A commit on its way. */
export interface Claim {
  readonly actions: readonly Action[];
  readonly reads: Reads;
}

/** Why `winner`, already committed, makes `claim` wrong; undefined where it does not. */
export function findConflict(claim: Claim, winner: readonly Action[]): string | undefined {
  const held = holdings(claim);
  for (const action of winner) {
    const reason = conflictWith(action, claim.reads, held);
    if (reason !== undefined) return reason;
  }
  return undefined;
}

/** What the claim's own actions touch. */
interface Holdings {
  readonly removing: ReadonlySet<string>;
  readonly applications: ReadonlySet<string>;
  readonly domains: ReadonlySet<string>;
  readonly setsMetadata: boolean;
}

function holdings({ actions }: Claim): Holdings {
  return {
    removing: new Set(actions.flatMap((a) => ("remove" in a ? canonicalPath(a.remove.path) : []))),
    applications: new Set(actions.flatMap((a) => ("txn" in a ? a.txn.appId : []))),
    domains: new Set(actions.flatMap((a) => ("domainMetadata" in a ? a.domainMetadata.domain : []))),
    setsMetadata: actions.some((a) => "metaData" in a || "protocol" in a),
  };
}

function conflictWith(action: Action, reads: Reads, held: Holdings): string | undefined {
  if ("protocol" in action) return "the protocol of the table changed";
  if ("metaData" in action) return "the schema or properties of the table changed";
  if ("txn" in action && held.applications.has(action.txn.appId)) {
    return `another run recorded ${action.txn.appId} at ${action.txn.version}`;
  }
  if ("domainMetadata" in action && held.domains.has(action.domainMetadata.domain)) {
    return `another run changed ${action.domainMetadata.domain}`;
  }
  if ("remove" in action) {
    const path = canonicalPath(action.remove.path);
    if (held.removing.has(path)) return "another commit changed a file that this one changes";
    // Rows that were only moved to other files still hold what was read.
    if (action.remove.dataChange && readsFile(reads, path))
      return "another commit removed rows that this one read";
  }
  if ("add" in action && action.add.dataChange) {
    if (held.setsMetadata) return "another commit added files under the former schema";
    if (readsAddition(reads, action.add)) return "another commit added rows that this one did not read";
  }
  return undefined;
}

function readsFile(reads: Reads, path: string): boolean {
  if (typeof reads === "string") return reads === "table";
  return reads.files.has(path);
}

function readsAddition(reads: Reads, file: AddFile): boolean {
  if (typeof reads === "string") return reads === "table";
  return reads.concerns(file);
}
