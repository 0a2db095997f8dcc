/** What came of a commit to a bronze table. */
import type { CommitOutcome } from "../../lakehouse/delta/commit.ts";
import { TransientError } from "../../lakehouse/errors.ts";

/**
 * The version that was committed. Throws `BRONZE_RACE_LOST` where another run's commit stood in the way: `lost` says
 * which one, `next` what was not done and what to do.
 */
export function versionOf(
  outcome: CommitOutcome,
  { lost, next }: { readonly lost: string; readonly next: string },
): number {
  if (outcome.status === "committed") return outcome.version;
  throw new TransientError(lost, { code: "BRONZE_RACE_LOST", value: outcome.reason, next });
}
