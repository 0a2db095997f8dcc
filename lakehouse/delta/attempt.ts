/** Operations that read, decide and commit: done again on the newer version when another commit was in the way. */
import { setTimeout as wait } from "node:timers/promises";
import { TransientError } from "../errors.ts";
import type { CommitOutcome } from "./commit.ts";

/** Tries before giving up; each works on a newer version, so a rival has made progress every time. */
const MOST_TRIES = 30;
const LONGEST_PAUSE_MS = 1000;

/**
 * Repeats `work` until its commit lands. It resolves to undefined where there turned out to be nothing to commit.
 * Rejects with `DELTA_COMMIT_CONTENTION` when rivals were faster every time.
 */
export async function attempt<T extends { readonly outcome: CommitOutcome }>(
  where: string,
  work: () => Promise<T | undefined>,
): Promise<(T & { readonly version: number }) | undefined> {
  let reason = "";
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const done = await work();
    if (done === undefined) return undefined;
    if (done.outcome.status === "committed") return { ...done, version: done.outcome.version };
    reason = done.outcome.reason;
    // Rivals that lost together must not meet again at the same instant.
    await wait(Math.random() * Math.min(LONGEST_PAUSE_MS, 5 * 2 ** tries));
  }
  throw new TransientError(`could not commit to ${where}: ${reason}`, {
    code: "DELTA_COMMIT_CONTENTION",
    value: reason,
    next: "Other writers change the same rows all the time; run it again when they pause.",
  });
}
