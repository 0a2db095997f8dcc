/**
 * Committing: put-if-absent of the next log entry. A lost race is retried on top of the winner where the two do not
 * conflict, and is a return value where they do. Data files are written before; a retry rewrites only the log entry.
 */
import { randomUUID } from "node:crypto";
import { TransientError } from "../errors.ts";
import type { ObjectStore } from "../store/store.ts";
import { type Action, type CommitInfo, serializeCommit } from "./actions.ts";
import { type Claim, findConflict } from "./conflict.ts";
import { commitPath, readCommit } from "./log.ts";

const ENGINE = "Ingot/0.1.0";

/** A finished set of actions, waiting for a version. */
export interface Proposal {
  /** Version of the snapshot on which the actions were decided; -1 for a new table. */
  readonly readVersion: number;
  readonly operation: string;
  readonly operationParameters?: Readonly<Record<string, unknown>>;
  readonly operationMetrics?: Readonly<Record<string, string>>;
  readonly actions: readonly Action[];
  /** `nothing`: a blind append, right whatever others do. `table`: decided on all rows of the table. */
  readonly reads: Claim["reads"];
}

export type CommitOutcome =
  | { readonly status: "committed"; readonly version: number }
  /** Somebody else's commit makes this one wrong: read again, decide again. */
  | { readonly status: "lost"; readonly reason: string; readonly version: number };

const MOST_TRIES = 1000;

/** Commits, or says why another commit stands in the way. Durable once it resolves to `committed`. */
export async function commit(store: ObjectStore, proposal: Proposal, now: number): Promise<CommitOutcome> {
  const txnId = randomUUID();
  const info: CommitInfo = {
    timestamp: now,
    operation: proposal.operation,
    operationParameters: { ...proposal.operationParameters },
    ...(proposal.operationMetrics ? { operationMetrics: { ...proposal.operationMetrics } } : {}),
    isBlindAppend: proposal.reads === "nothing",
    engineInfo: ENGINE,
    txnId,
    ...(proposal.readVersion >= 0 ? { readVersion: proposal.readVersion } : {}),
  };
  const bytes = serializeCommit([{ commitInfo: info }, ...proposal.actions]);
  let version = proposal.readVersion + 1;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    if (await putCommit(store, version, bytes, txnId)) return { status: "committed", version };
    const winner = await readCommit(store, version);
    const reason = winner === undefined ? "its log entry vanished" : findConflict(proposal, winner);
    if (reason !== undefined) return { status: "lost", reason, version };
    version += 1;
  }
  throw new TransientError(`could not commit to ${store.root}: ${MOST_TRIES} rivals were faster`, {
    code: "DELTA_COMMIT_CONTENTION",
    value: store.root,
    next: "Let fewer writers commit to one table, or commit larger batches.",
  });
}

/** Put-if-absent whose ambiguous failures are settled by reading back who wrote the entry. */
async function putCommit(
  store: ObjectStore,
  version: number,
  bytes: Uint8Array,
  txnId: string,
): Promise<boolean> {
  try {
    return await store.putIfAbsent(commitPath(version), bytes);
  } catch (error) {
    const written = await readCommit(store, version);
    if (written === undefined) throw error;
    return written.some((action) => "commitInfo" in action && action.commitInfo.txnId === txnId);
  }
}
