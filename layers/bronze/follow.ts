/**
 * Capture that does not end by itself: small batches, and a new beginning where a connection is lost or the source has
 * other tables.
 */

import { setTimeout as delay } from "node:timers/promises";
import { TransientError } from "../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import type { BatchLimits } from "./capture/capture-options.ts";
import { captureChanges } from "./capture/run.ts";
import { type WatchTimes, watchSource } from "./capture/source-watch.ts";
import type { IngestContext, IngestReport } from "./ingest.ts";
import { keepUp } from "./keep-up.ts";
import { readingSource } from "./postgres/read-error.ts";
import { describeSource } from "./source-tables.ts";

/** Attempts in a row that may fail before the follower gives up. */
const MOST_FAILURES = 10;
const LONGEST_WAIT = 30_000;

export interface FollowOptions {
  /** Ends the following, after what is whole has been committed. */
  readonly signal: AbortSignal;
  readonly limits?: Partial<BatchLimits>;
  /** Told of each batch once it is durable. */
  readonly onCommitted?: (batch: { readonly rows: number; readonly endLsn: number }) => void;
  /** Told when all that was there is in bronze and the stream is open; again after each new beginning. */
  readonly onFollowing?: (caughtUp: readonly IngestReport[]) => void;
  /** Told of a failure that is tried over. */
  readonly onRetry?: (error: TransientError, waitMs: number) => void;
  /** Looks for tables that were made, altered or emptied without a change of a row, and whether the source answers. */
  readonly look?: WatchTimes;
}

/**
 * Brings the tables up to date, loading those that are new, and follows their changes until the signal; begins anew
 * when the source has others.
 */
export async function follow(
  context: IngestContext,
  pipeline: PipelineDefinition,
  options: FollowOptions,
): Promise<IngestReport[]> {
  const { signal, onCommitted, onRetry } = options;
  let reports: IngestReport[] = [];
  for (let failures = 0; !signal.aborted; ) {
    try {
      reports = await readingSource(() =>
        followOnce(context, pipeline, {
          ...options,
          onCommitted: (batch) => {
            failures = 0;
            onCommitted?.(batch);
          },
        }),
      );
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof TransientError) || ++failures > MOST_FAILURES) throw error;
      const wait = Math.min(LONGEST_WAIT, 100 * 2 ** failures);
      onRetry?.(error, wait);
      await delay(wait, undefined, { signal }).catch(() => {});
    }
  }
  return reports;
}

/** Catches up and follows until the signal, or until the source has to be looked at anew. Answers what was caught up. */
async function followOnce(
  context: IngestContext,
  pipeline: PipelineDefinition,
  { signal, limits, onCommitted, onFollowing, look }: FollowOptions,
): Promise<IngestReport[]> {
  // From before the tables are described: none that is made meanwhile is missed.
  const watch = await watchSource(context.connectionString, pipeline, look);
  try {
    const reports = await keepUp(context, pipeline);
    const caughtUp = new Set(reports.map(({ table }) => table));
    const tables = await describeSource(context, pipeline);
    // Tables whose columns changed are compared with the source, which begins anew.
    const changed = new AbortController();
    void watch.changed.then(() => changed.abort());
    await captureChanges(
      context,
      pipeline,
      tables.filter(({ bronze }) => caughtUp.has(`bronze.${bronze}`)),
      {
        end: AbortSignal.any([signal, changed.signal]),
        onUnchecked: () => changed.abort(),
        onOpen: () => onFollowing?.(reports),
        ...(limits ? { limits } : {}),
        ...(onCommitted ? { onCommitted } : {}),
      },
    );
    return reports;
  } finally {
    await watch.end();
  }
}
