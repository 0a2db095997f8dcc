/** What one process does about one job, until it is told to stop: waits, takes the lease, runs, gives it back. */
import type { Lease } from "../../lakehouse/lease/held-lease.ts";
import { eventError } from "./carry-out.ts";
import { DueJob } from "./due-job.ts";
import type { Job, Services } from "./job.ts";
import { linkedSignal } from "./linked-signal.ts";

/** Milliseconds after which the wall clock is looked at again: it may have been set, or the machine suspended. */
const LONGEST_REST = 30_000;
const LONGEST_TROUBLE = 60_000;

export class JobLoop {
  private readonly job: Job;
  private readonly services: Services;
  private readonly due: DueJob;
  private alarm = new AbortController();
  private paused = false;
  private troubles = 0;

  constructor(job: Job, services: Services) {
    this.job = job;
    this.services = services;
    this.due = new DueJob(job, services);
    services.stop.addEventListener("abort", () => this.wake(), { once: true });
  }

  /** Ends after `stop`, when what was begun has ended and the lease is free. */
  async run(): Promise<void> {
    const { stop, clock, emit, leases } = this.services;
    while (!stop.aborted) {
      try {
        await (this.job.follow === undefined ? this.turn() : this.followTurn(this.job.follow));
        this.troubles = 0;
      } catch (error) {
        const retryInMs = Math.min(LONGEST_TROUBLE, leases.pollEvery * 2 ** this.troubles++);
        if (!stop.aborted)
          emit({ event: "trouble", job: this.job.name, error: eventError(error), retryInMs });
        await clock.sleep(retryInMs, stop);
      }
    }
  }

  /** Looks at once whether there is something to do. */
  wake(): void {
    this.alarm.abort();
  }

  private async turn(): Promise<void> {
    const { clock, leases } = this.services;
    if (this.paused && (await this.isPaused())) return this.rest(clock.now() + leases.pollEvery);
    const expected = await this.expect();
    const now = clock.now();
    if (expected === undefined || expected.waits) return this.rest(now + leases.pollEvery);
    if (expected.at > now) return this.rest(expected.at);
    if (await this.isPaused()) return this.rest(now + leases.pollEvery);
    const lease = await leases.tryTake(this.job.name);
    if (lease === undefined) return this.rest(now + leases.pollEvery);
    try {
      await this.runDue(lease);
    } finally {
      await lease.release();
    }
  }

  /** Follows changes for as long as it has the lease; runs what is due meanwhile under the same one. */
  private async followTurn(follow: NonNullable<Job["follow"]>): Promise<void> {
    const { clock, leases, stop, emit } = this.services;
    const job = this.job.name;
    if (await this.isPaused()) return this.rest(clock.now() + leases.pollEvery);
    const lease = await leases.tryTake(job);
    if (lease === undefined) return this.rest(clock.now() + leases.pollEvery);
    const { signal, abort, unlink } = linkedSignal(stop, lease.signal);
    signal.addEventListener("abort", () => this.wake(), { once: true });
    emit({ event: "following", job, epoch: lease.epoch });
    const changes = { came: false };
    let failed = false;
    const onBatch = (rows: number) => {
      changes.came = true;
      this.troubles = 0;
      emit({ event: "batch", job, rows });
      this.wake();
    };
    const following = follow({ signal, check: () => lease.check(), onBatch })
      .catch((error: unknown) => {
        failed = !signal.aborted;
        throw error;
      })
      .finally(() => abort());
    // It is awaited below, whatever happens meanwhile.
    following.catch(() => {});
    try {
      await this.tend(lease, signal, changes);
      abort();
      await following;
    } finally {
      abort();
      await following.catch(() => {});
      unlink();
      await lease.release();
      const reason = stop.aborted
        ? "stopped"
        : lease.signal.aborted
          ? "lease lost"
          : failed
            ? "failed"
            : "paused";
      emit({ event: "followed", job, reason });
    }
  }

  private async tend(lease: Lease, signal: AbortSignal, changes: { came: boolean }): Promise<void> {
    const { clock, leases } = this.services;
    const { follow } = this.job.schedule;
    const every = typeof follow === "object" ? follow.buildEverySeconds * 1000 : undefined;
    let built = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      if (await this.isPaused()) return;
      const next = await this.runDue(lease);
      const now = clock.now();
      const buildAt = every !== undefined && changes.came ? built + every : Number.POSITIVE_INFINITY;
      if (buildAt <= now && !signal.aborted) {
        changes.came = false;
        const done = await this.due.runExtra("changes", lease);
        if (done?.status !== "succeeded") changes.came = true;
        built = clock.now();
      } else {
        await this.rest(Math.min(next ?? Number.POSITIVE_INFINITY, buildAt, now + leases.pollEvery));
      }
    }
  }

  /** Runs what is due, as it is under the lease: others may have been faster. Answers when to look again. */
  private async runDue(lease: Lease): Promise<number | undefined> {
    const expected = await this.expect();
    if (expected === undefined || expected.waits) return undefined;
    if (expected.at > this.services.clock.now()) return expected.at;
    await this.due.run(expected, lease);
    return this.services.clock.now();
  }

  private async expect() {
    const expected = await this.due.expected();
    const due = expected && new Date(expected.due).toISOString();
    this.services.emit({ event: "expected", job: this.job.name, due });
    return expected;
  }

  private async isPaused(): Promise<boolean> {
    const by = await this.due.pausedBy();
    const job = this.job.name;
    if (by !== undefined && !this.paused) this.services.emit({ event: "paused", job, by });
    if (by === undefined && this.paused) this.services.emit({ event: "resumed", job });
    this.paused = by !== undefined;
    return this.paused;
  }

  /** Until a time on the wall, or until it is woken. */
  private async rest(until: number): Promise<void> {
    const { clock } = this.services;
    const { signal } = this.alarm;
    for (let left = until - clock.now(); left > 0 && !signal.aborted; left = until - clock.now()) {
      await clock.sleep(Math.min(left, LONGEST_REST), signal);
    }
    if (signal.aborted) this.alarm = new AbortController();
  }
}
