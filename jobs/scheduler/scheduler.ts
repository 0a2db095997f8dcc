/** Runs jobs when they are due, of several processes on one lake in one each time. */
import { TransientError } from "../../lakehouse/errors.ts";
import { type Clock, systemClock } from "../../lakehouse/lease/clock.ts";
import { Leases } from "../../lakehouse/lease/leases.ts";
import type { ObjectStore } from "../../lakehouse/store/store.ts";
import type { SchedulerEvent, SchedulerListener } from "./events.ts";
import { Health, type SchedulerHealth } from "./health.ts";
import type { Job } from "./job.ts";
import { JobLoop } from "./job-loop.ts";

export interface SchedulerOptions {
  /** The lake's. */
  readonly store: ObjectStore;
  /** Who this is, for people: `host:pid`. */
  readonly owner: string;
  /** Milliseconds within which others take over from a process that died; 15,000 by default. */
  readonly leaseMilliseconds?: number;
  readonly clock?: Clock;
  readonly onEvent?: SchedulerListener;
}

const LEASE = 15_000;

export class Scheduler {
  private readonly jobs: readonly Job[];
  private readonly options: SchedulerOptions;
  private readonly stopping = new AbortController();
  private readonly health: Health;
  private running: Promise<unknown> = Promise.resolve();

  constructor(jobs: readonly Job[], options: SchedulerOptions) {
    this.jobs = jobs;
    this.options = options;
    const { now } = options.clock ?? systemClock;
    this.health = new Health(now);
  }

  /** How its jobs are. */
  get state(): SchedulerHealth {
    return this.health.state;
  }

  start(): void {
    const { store, owner, clock = systemClock, leaseMilliseconds = LEASE } = this.options;
    const leases = new Leases(store, { owner, milliseconds: leaseMilliseconds, clock });
    const loops = new Map<string, JobLoop>();
    const emit = (event: SchedulerEvent) => {
      this.emit(event);
      if (event.event !== "run ended") return;
      for (const { name, after } of this.jobs) {
        if (after.some((other) => other.name === event.job)) loops.get(name)?.wake();
      }
    };
    const stop = this.stopping.signal;
    const services = { store, leases, clock, owner, emit, stop, grace: 2 * leaseMilliseconds };
    for (const job of this.jobs) loops.set(job.name, new JobLoop(job, services));
    this.emit({ event: "started", owner, jobs: this.jobs.map(({ name }) => name) });
    this.running = Promise.all([...loops.values()].map((loop) => loop.run()));
  }

  /** Begins nothing more and lets the commits that are under way end; resolves when all leases are given back. */
  async stop(): Promise<void> {
    if (!this.stopping.signal.aborted) {
      this.emit({ event: "stopping" });
      this.stopping.abort(
        new TransientError("the scheduler was told to stop", {
          code: "INTERRUPTED",
          next: "Nothing is lost: the next process to run this job goes on where this one ended.",
        }),
      );
    }
    await this.running;
    this.emit({ event: "stopped" });
  }

  private emit(event: SchedulerEvent): void {
    this.health.note(event);
    this.options.onEvent?.(event);
  }
}
