/** How far a backfill has come: in the table itself, with the rows of each chunk in one commit. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Action } from "../../lakehouse/delta/actions.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Interval } from "./range.ts";

const recordSchema = z.object({
  column: z.string(),
  from: z.string(),
  to: z.string(),
  /** All before it is done. */
  until: z.string(),
  /** Of the SQL and the contract that made it. */
  fingerprint: z.string(),
});
type ProgressRecord = z.infer<typeof recordSchema>;

/** What a backfill is about, whatever the size of its chunks. */
export interface BackfillSubject extends Interval {
  readonly column: string;
}

/** Backfills of other ranges have records of their own. */
function domainOf({ column, from, to }: BackfillSubject): string {
  const digest = createHash("sha256")
    .update(JSON.stringify([column, from, to]))
    .digest("hex");
  return `ingot.backfill/${digest.slice(0, 16)}`;
}

/** What an unfinished backfill of this range has recorded. */
export function readProgress(table: Snapshot, subject: BackfillSubject): ProgressRecord | undefined {
  const domain = table.domains.get(domainOf(subject));
  return domain === undefined ? undefined : recordSchema.safeParse(JSON.parse(domain.configuration)).data;
}

/** The action that records that all before `until` is done; where that is all, that nothing is left to be known. */
export function progressAction(subject: BackfillSubject, until: string, fingerprint: string): Action {
  const { column, from, to } = subject;
  const record: ProgressRecord = { column, from, to, until, fingerprint };
  return {
    domainMetadata: {
      domain: domainOf(subject),
      configuration: JSON.stringify(record),
      removed: until === to,
    },
  };
}
