/** The commits of a table as far as they are still there. */
import type { ObjectStore } from "../../store/store.ts";
import type { Action, CommitInfo } from "../actions.ts";
import { readCommit } from "../log.ts";
import { fileTimes } from "./commit-times.ts";
import { listLog } from "./listing.ts";
import { readAhead } from "./read-ahead.ts";

/** Commits that are held and fetched at the same time. */
const PARALLEL = 16;

/** What one commit did. */
export interface CommitSummary {
  readonly version: number;
  /** Milliseconds since the epoch: what the commit states in a table that keeps time in commits, else its file's time. */
  readonly committedAt: number;
  readonly commitInfo: CommitInfo;
  readonly addedFiles: number;
  readonly removedFiles: number;
}

/** The newest commits, at most `limit`, newest first. Only summaries are held, whatever the commits weigh. */
export async function readHistory(store: ObjectStore, limit: number): Promise<CommitSummary[]> {
  const times = fileTimes(await listLog(store));
  const versions = [...times.keys()].reverse().slice(0, limit);
  const history: CommitSummary[] = [];
  const summaries = readAhead(versions, PARALLEL, async (version) => {
    const actions = await readCommit(store, version);
    return actions && summarize(version, actions, times.get(version) ?? 0);
  });
  for await (const summary of summaries) if (summary) history.push(summary);
  return history;
}

function summarize(version: number, actions: readonly Action[], writtenAt: number): CommitSummary {
  const info = actions.find((action) => "commitInfo" in action);
  const commitInfo = info && "commitInfo" in info ? info.commitInfo : {};
  return {
    version,
    committedAt: commitInfo.inCommitTimestamp ?? writtenAt,
    commitInfo,
    addedFiles: actions.filter((action) => "add" in action).length,
    removedFiles: actions.filter((action) => "remove" in action).length,
  };
}
