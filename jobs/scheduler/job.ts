/** A schedule of a pipeline with the work that it stands for. */
import type { Clock } from "../../lakehouse/lease/clock.ts";
import type { Leases } from "../../lakehouse/lease/leases.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import type { Schedule } from "../../layers/definition/schedule.ts";
import type { StepReport } from "../steps.ts";
import type { SchedulerListener } from "./events.ts";

/** One attempt at a run. */
export interface Attempt {
  readonly job: string;
  /** Milliseconds since the epoch. */
  readonly due: number;
  readonly runId: string;
  readonly attempt: number;
  readonly epoch: number;
  /** Aborted when the attempt is to end. */
  readonly signal: AbortSignal;
  /** Throws when nothing may be changed any more; asked before each change of the lake. */
  readonly check: () => void;
  /** Told of each step that has ended. */
  readonly onStep: (report: StepReport) => void;
}

/** What following is given. */
export interface Following {
  /** Aborted when it is to end, after what is whole has been committed. */
  readonly signal: AbortSignal;
  /** As of an attempt. */
  readonly check: () => void;
  /** Told of rows that are in bronze. */
  readonly onBatch: (rows: number) => void;
  /** Told when all that was there is in bronze and changes come as they are made; again after each new beginning. */
  readonly onCaughtUp: () => void;
  /** Told of each failure that is tried over: changes do not come until `onCaughtUp` is told again. */
  readonly onLost: (error: unknown, retryInMs: number) => void;
}

export interface Job {
  /** `commerce.refresh`, by which its lease and its records are found. */
  readonly name: string;
  readonly schedule: Schedule;
  /** The jobs that its schedule names in `after`. */
  readonly after: readonly Job[];
  /** Carries out an attempt; what it answers goes into the event of its end. */
  readonly work: (attempt: Attempt) => Promise<unknown>;
  /** Follows changes, until the signal. */
  readonly follow?: (following: Following) => Promise<void>;
}

/** What jobs share in one process. */
export interface Services {
  /** The lake's. */
  readonly store: ObjectStore;
  readonly leases: Leases;
  readonly clock: Clock;
  /** Who this is, for people. */
  readonly owner: string;
  readonly emit: SchedulerListener;
  /** Aborted when no more is to be begun, and what runs is to end with its commit. */
  readonly stop: AbortSignal;
  /** Milliseconds after a due time that it may be late without having been missed. */
  readonly grace: number;
}
