/** Capture that does not end by itself: small batches, and a new beginning where a connection is lost. */

import { setTimeout as delay } from "node:timers/promises";
import { TransientError } from "../../lakehouse/errors.ts";
import type { PipelineDefinition } from "../definition/pipeline.ts";
import type { BatchLimits } from "./capture/capture-options.ts";
import { captureChanges } from "./capture/run.ts";
import { passingOverGone } from "./capture/table-changes.ts";
import type { IngestContext, IngestReport } from "./ingest.ts";
import { keepUp } from "./keep-up.ts";
import { readingSource } from "./postgres/read-error.ts";
import { describeAll } from "./source-tables.ts";

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
}

/** Brings the tables up to date, loading those that are new, and follows their changes until the signal. */
export async function follow(
  context: IngestContext,
  pipeline: PipelineDefinition,
  options: FollowOptions,
): Promise<IngestReport[]> {
  const { signal, limits, onCommitted, onFollowing, onRetry } = options;
  let reports: IngestReport[] = [];
  for (let failures = 0; !signal.aborted; ) {
    try {
      reports = await keepUp(context, pipeline);
      await readingSource(async () => {
        const tables = await describeAll(
          context.connectionString,
          pipeline,
          passingOverGone(context, pipeline),
        );
        // Tables whose columns changed are compared with the source, which begins anew.
        const changed = new AbortController();
        await captureChanges(context, pipeline, tables, {
          end: AbortSignal.any([signal, changed.signal]),
          onUnchecked: () => changed.abort(),
          onOpen: () => onFollowing?.(reports),
          ...(limits ? { limits } : {}),
          onCommitted: (batch) => {
            failures = 0;
            onCommitted?.(batch);
          },
        });
      });
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
