/** When the steps of a pipeline run by themselves; `ingot start` keeps to it. */
import type { Lake } from "../../lakehouse/lake.ts";
import type { ProgressListener } from "../../lakehouse/progress.ts";

export type ScheduleStep = "sync" | "build" | "publish";

/** What a program of a schedule is given. */
export interface ScheduledRun {
  /** `commerce.refresh`: pipeline and schedule. */
  readonly job: string;
  /** The time that it is due for; of an extra run, when it was asked for. */
  readonly due: Date;
  readonly runId: string;
  /** 1, 2 and so on. */
  readonly attempt: number;
  /** Greater than that of every run of the job under an earlier lease: for fencing of what is not in the lake. */
  readonly epoch: number;
  /** Aborted when time is over, the lease is lost or the process is to stop. */
  readonly signal: AbortSignal;
  /** The lake; it refuses changes once the signal is aborted. */
  readonly lake: Lake;
  /** Address of the source. */
  readonly database: () => Promise<string>;
  readonly onProgress: ProgressListener;
}

/** What is done with due times that passed while nobody ran them: only the last, every one in order, or none. */
export type MissedRuns = "latest" | "all" | "skip";

export interface Schedule {
  /**
   * When it is due: minute, hour, day of month, month, day of week; with seconds in front if need be. `30 2 * * *`
   * is every night at half past two. Day of month and day of week both have to fit.
   */
  readonly cron?: string;
  /** IANA name of the time zone that `cron` is read in; UTC by default. */
  readonly timeZone?: string;
  /** What runs, in this order; by default sync, build and publish. */
  readonly steps?: readonly ScheduleStep[];
  /** A program of your own instead. It may be run again for the same due time: what it does should bear that. */
  readonly run?: (run: ScheduledRun) => Promise<unknown>;
  /** Starts up to so many seconds late, by another amount for each due time. */
  readonly jitterSeconds?: number;
  /** `latest` by default. */
  readonly missed?: MissedRuns;
  /** How often a run that failed is tried again, after 5 s, 30 s, 2 min and then every 10 min; 2 by default. */
  readonly retries?: number;
  /** After so many seconds an attempt is to end; it counts as failed. */
  readonly timeoutSeconds?: number;
  /**
   * Other schedules of the pipeline. With `cron`: a due run waits until each of them has succeeded for its own newest
   * due time. Without: it is due whenever all of them have succeeded since it ran.
   */
  readonly after?: readonly string[];
  /**
   * Changes flow into bronze all the time, in small batches (for `changes: "wal"`). At due times the other steps run;
   * with `buildEverySeconds` also after batches, at most so often.
   */
  readonly follow?: true | { readonly buildEverySeconds: number };
}
