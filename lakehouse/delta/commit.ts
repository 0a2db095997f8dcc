/**
 * Committing: put-if-absent of the next log entry. A lost race is retried on top of the winner where the two do not
 * conflict, and is a return value where they do. Data files are written before; a retry rewrites only the log entry.
 */
import { randomUUID } from "node:crypto";
import { TerminalError, TransientError } from "../errors.ts";
import type { ObjectStore } from "../store/store.ts";
import { type Action, type CommitInfo, serializeCommit } from "./actions.ts";
import { type Claim, findConflict } from "./conflict.ts";
import { commitPath, readCommit } from "./log.ts";
import type { Snapshot } from "./snapshot.ts";

const ENGINE = "Ingot/0.1.0";

/** A finished set of actions, waiting for a version. */
export interface Proposal extends Claim {
  /** Snapshot on which the actions were decided; undefined for a new table. */
  readonly base: Snapshot | undefined;
  readonly operation: string;
  readonly operationParameters?: Readonly<Record<string, unknown>>;
  readonly operationMetrics?: Readonly<Record<string, string>>;
  /** Kept in the table's history. */
  readonly userMetadata?: string;
}

export type CommitOutcome =
  | { readonly status: "committed"; readonly version: number }
  /** Somebody else's commit makes this one wrong: read again, decide again. */
  | { readonly status: "lost"; readonly reason: string; readonly version: number };

const MOST_TRIES = 1000;

/** A base this old may have been cleaned out of the log, so that its successor's name is free again. */
const DAY_MS = 24 * 3600 * 1000;

/** Commits, or says why another commit stands in the way. Durable once it resolves to `committed`. */
export async function commit(store: ObjectStore, proposal: Proposal, now: number): Promise<CommitOutcome> {
  const { base } = proposal;
  const txnId = randomUUID();
  let version = (base?.version ?? -1) + 1;
  if (base !== undefined && (base.timestamp ?? 0) < now - DAY_MS && !(await isThere(store, base.version))) {
    return { status: "lost", reason: `version ${base.version} is no longer in the log`, version };
  }
  // Where a table keeps time in its commits, each is later than the one before, whatever the clocks say.
  let earliest = (base?.timestamp ?? -1) + 1;
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const inCommit = Math.max(now, earliest);
    const info = commitInfo(proposal, txnId, now, inCommit);
    const actions = beginningTime(proposal, version, inCommit);
    const bytes = serializeCommit([{ commitInfo: info }, ...(actions ?? proposal.actions)]);
    if (await putCommit(store, version, bytes, txnId)) return { status: "committed", version };
    const winner = await readCommit(store, version);
    // A store that repeats a request of its own accord finds the first try's object in the way.
    if (winner && isOwn(winner, txnId)) return { status: "committed", version };
    const reason = winner === undefined ? "its log entry vanished" : findConflict(proposal, winner);
    if (reason !== undefined) return { status: "lost", reason, version };
    earliest = Math.max(earliest, inCommitTimestamp(winner ?? []) + 1);
    version += 1;
  }
  throw new TransientError(`could not commit to ${store.root}: ${MOST_TRIES} rivals were faster`, {
    code: "DELTA_COMMIT_CONTENTION",
    value: store.root,
    next: "Let fewer writers commit to one table, or commit larger batches.",
  });
}

async function isThere(store: ObjectStore, version: number): Promise<boolean> {
  return (await store.getRange(commitPath(version), 0, 1)) !== undefined;
}

const TIMED = "delta.enableInCommitTimestamps";

/**
 * The actions of a commit from which on a table that has versions already keeps time in its commits: its properties
 * say which commit that was and when (PROTOCOL.md, "In-Commit Timestamps"). Undefined for any other commit.
 */
function beginningTime({ base, actions }: Proposal, version: number, inCommit: number): Action[] | undefined {
  if (base === undefined || base.metadata.configuration[TIMED] === "true") return undefined;
  if (!actions.some((a) => "metaData" in a && a.metaData.configuration[TIMED] === "true")) return undefined;
  const since = {
    "delta.inCommitTimestampEnablementVersion": String(version),
    "delta.inCommitTimestampEnablementTimestamp": String(inCommit),
  };
  return actions.map((action) =>
    "metaData" in action
      ? { metaData: { ...action.metaData, configuration: { ...action.metaData.configuration, ...since } } }
      : action,
  );
}

function commitInfo(proposal: Proposal, txnId: string, now: number, inCommit: number): CommitInfo {
  const { base, operation, operationParameters, operationMetrics, actions, reads } = proposal;
  const changed = actions.find((action) => "metaData" in action);
  const configuration = (changed && "metaData" in changed ? changed.metaData : base?.metadata)?.configuration;
  const timed = configuration?.[TIMED] === "true";
  return {
    // Readers look for it in the first action of the commit, by this name.
    ...(timed ? { inCommitTimestamp: inCommit } : {}),
    timestamp: now,
    operation,
    operationParameters: textParameters(operationParameters ?? {}),
    ...(operationMetrics ? { operationMetrics: { ...operationMetrics } } : {}),
    isBlindAppend: isBlindAppend(actions, reads),
    isolationLevel: "Serializable",
    engineInfo: ENGINE,
    ...(proposal.userMetadata === undefined ? {} : { userMetadata: proposal.userMetadata }),
    txnId,
    ...(base === undefined ? {} : { readVersion: base.version }),
  };
}

/** Rows were added, and neither what the table holds nor what it is was looked at or changed. */
function isBlindAppend(actions: readonly Action[], reads: Claim["reads"]): boolean {
  const onlyAdds = actions.every((a) => !("remove" in a || "metaData" in a || "protocol" in a || "cdc" in a));
  return reads === "nothing" && onlyAdds && actions.some((a) => "add" in a);
}

/** Other readers expect values of parameters as text; lists as the text of JSON. */
function textParameters(parameters: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([k, v]) => [k, typeof v === "string" ? v : JSON.stringify(v)]));
}

function inCommitTimestamp(actions: readonly Action[]): number {
  for (const action of actions) if ("commitInfo" in action) return action.commitInfo.inCommitTimestamp ?? -1;
  return -1;
}

/** A put that failed may still be on its way; so many times the same put settles it, whoever's arrives. */
const PUTS = 3;

/** Put-if-absent whose ambiguous failures are settled by reading back who wrote the entry. */
async function putCommit(
  store: ObjectStore,
  version: number,
  bytes: Uint8Array,
  txnId: string,
): Promise<boolean> {
  for (let puts = 1; ; puts++) {
    try {
      return await store.putIfAbsent(commitPath(version), bytes);
    } catch (error) {
      const written = await readCommit(store, version);
      if (written !== undefined) return isOwn(written, txnId);
      if (puts === PUTS || error instanceof TerminalError) throw error;
    }
  }
}

function isOwn(actions: readonly Action[], txnId: string): boolean {
  return actions.some((action) => "commitInfo" in action && action.commitInfo.txnId === txnId);
}
