/** When two commits made on the same version cannot both stand, one after the other (PROTOCOL.md leaves this to writers). */
import type { Action } from "./actions.ts";

/** What a commit relies on. */
export interface Claim {
  readonly actions: readonly Action[];
  readonly reads: "nothing" | "table";
}

/** Why `winner`, already committed, makes `claim` wrong; undefined where it does not. */
export function findConflict(claim: Claim, winner: readonly Action[]): string | undefined {
  const removing = new Set(claim.actions.map((a) => ("remove" in a ? a.remove.path : undefined)));
  const applications = new Set(claim.actions.map((a) => ("txn" in a ? a.txn.appId : undefined)));
  const domains = new Set(
    claim.actions.map((a) => ("domainMetadata" in a ? a.domainMetadata.domain : undefined)),
  );
  const setsMetadata = claim.actions.some((a) => "metaData" in a || "protocol" in a);
  for (const action of winner) {
    if ("protocol" in action) return "the protocol of the table changed";
    if ("metaData" in action) return "the schema or properties of the table changed";
    if ("txn" in action && applications.has(action.txn.appId)) {
      return `another run recorded ${action.txn.appId} at ${action.txn.version}`;
    }
    if ("domainMetadata" in action && domains.has(action.domainMetadata.domain)) {
      return `another run changed ${action.domainMetadata.domain}`;
    }
    if ("remove" in action && (removing.has(action.remove.path) || claim.reads === "table")) {
      return "another commit removed files that this one read";
    }
    if ("add" in action && (claim.reads === "table" || setsMetadata)) {
      return "another commit added files that this one did not read";
    }
  }
  return undefined;
}
