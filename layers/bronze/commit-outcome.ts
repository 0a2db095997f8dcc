/** What came of a commit to a bronze table. */
import type { CommitOutcome } from "../../lakehouse/delta/commit.ts";
import { codeOf, TransientError } from "../../lakehouse/errors.ts";

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

/** For `retrying`: codes of a failure that is none but that another run was faster. */
export const outrun = (error: unknown): readonly string[] =>
  codeOf(error) === "BRONZE_RACE_LOST" ? ["BRONZE_RACE_LOST"] : [];
