/** What one process does about one job, until it is told to stop: waits, takes the lease, runs, gives it back. */
import type { Lease } from "../../lakehouse/lease/held-lease.ts";
import { DueJob, type Expected } from "./due-job.ts";
import { eventError, type SchedulerEvent } from "./events.ts";
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
  private state: "new" | "working" | "in trouble" = "new";
  /** A due time whose run could not be put on record here: until one is, it does not work, whatever else it can do. */
  private unsettled: { readonly due: number; readonly isStarted: boolean } | undefined;
  /** Whether the run that is carried out has started. */
  private isStarted = false;
  /** Whether what is followed was caught up with, since following began. */
  private isCaughtUp = false;

  constructor(job: Job, services: Services) {
    this.job = job;
    this.services = services;
    const emit = (event: SchedulerEvent) => {
      services.emit(event);
      if (event.event === "run started" && event.reason === "due") this.started();
    };
    this.due = new DueJob(job, { ...services, emit });
    services.stop.addEventListener("abort", () => this.wake(), { once: true });
  }

  /** Ends after `stop`, when what was begun has ended and the lease is free. */
  async run(): Promise<void> {
    const { stop, clock, leases } = this.services;
    while (!stop.aborted) {
      try {
        await (this.job.follow === undefined ? this.turn() : this.followTurn(this.job.follow));
        if (this.unsettled === undefined) this.troubles = 0;
      } catch (error) {
        const retryInMs = Math.min(LONGEST_TROUBLE, leases.pollEvery * 2 ** this.troubles++);
        this.inTrouble(error, retryInMs);
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
      this.works();
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
    if (lease === undefined) {
      // Whoever has it may record what could not be recorded here.
      if (this.unsettled !== undefined) await this.expect();
      return this.rest(clock.now() + leases.pollEvery);
    }
    const { signal, abort, unlink } = linkedSignal(stop, lease.signal);
    signal.addEventListener("abort", () => this.wake(), { once: true });
    emit({ event: "following", job, epoch: lease.epoch });
    const changes = { came: false };
    let failed = false;
    this.isCaughtUp = false;
    let isLost = false;
    const onCaughtUp = () => {
      this.isCaughtUp = true;
      if (this.unsettled === undefined) this.troubles = 0;
      this.works();
      if (isLost) emit({ event: "following", job, epoch: lease.epoch });
      isLost = false;
    };
    const onLost = (error: unknown, retryInMs: number) => {
      this.isCaughtUp = false;
      isLost = true;
      this.inTrouble(error, retryInMs);
    };
    const onBatch = (rows: number) => {
      changes.came = true;
      onCaughtUp();
      emit({ event: "batch", job, rows });
      this.wake();
    };
    const following = follow({ signal, check: () => lease.check(), onBatch, onCaughtUp, onLost })
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
      // Whether what was in trouble can follow again is not known yet.
      if (this.state === "new") this.works();
      const next = await this.runDue(lease);
      if (this.isCaughtUp) this.works();
      const now = clock.now();
      const buildAt = every !== undefined && changes.came ? built + every : Number.POSITIVE_INFINITY;
      if (buildAt <= now && !signal.aborted) {
        changes.came = false;
        const done = await this.due.runExtra("changes", lease);
        if (done?.status !== "succeeded") changes.came = true;
        built = clock.now();
      } else {
        await this.wait(Math.min(next ?? Number.POSITIVE_INFINITY, buildAt, now + leases.pollEvery));
      }
    }
  }

  /** Runs what is due, as it is under the lease: others may have been faster. Answers when to look again. */
  private async runDue(lease: Lease): Promise<number | undefined> {
    const expected = await this.expect();
    if (expected === undefined || expected.waits) return undefined;
    if (expected.at > this.services.clock.now()) return expected.at;
    await this.carryOut(expected, lease);
    return this.services.clock.now();
  }

  private async carryOut(expected: Expected, lease: Lease): Promise<void> {
    this.isStarted = false;
    try {
      if ((await this.due.run(expected, lease)) !== undefined) this.unsettled = undefined;
    } catch (error) {
      const isStarted = this.isStarted || this.unsettled?.isStarted === true;
      if (lease.isHeld()) this.unsettled = { due: expected.due, isStarted };
      throw error;
    }
  }

  /** A run has started: the lease is there, and a record was written. Whether its end can be, too, is not known yet. */
  private started(): void {
    this.isStarted = true;
    if (this.unsettled?.isStarted === false) this.unsettled = undefined;
    if (this.job.follow === undefined || this.isCaughtUp) this.works();
  }

  private async expect() {
    const expected = await this.due.expected();
    // One that was missed is not run any more.
    const isOver = expected === undefined || expected.due > this.services.clock.now();
    if (this.unsettled !== undefined && (isOver || this.due.isSettled(this.unsettled.due)))
      this.unsettled = undefined;
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
    // Nobody waits for its run any more.
    if (this.paused) this.unsettled = undefined;
    return this.paused;
  }

  /** Nothing is to be done until a time on the wall, or until it is woken. */
  private rest(until: number): Promise<void> {
    this.works();
    return this.wait(until);
  }

  /** All that it needs is there. */
  private works(): void {
    const before = this.state;
    if (before === "working" || this.unsettled !== undefined) return;
    this.state = "working";
    this.services.emit({ event: "working", job: this.job.name, again: before === "in trouble" });
  }

  /** Something that it needs is not there. */
  private inTrouble(error: unknown, retryInMs: number): void {
    const { emit, stop } = this.services;
    this.state = "in trouble";
    if (!stop.aborted) emit({ event: "trouble", job: this.job.name, error: eventError(error), retryInMs });
  }

  private async wait(until: number): Promise<void> {
    const { clock } = this.services;
    const { signal } = this.alarm;
    for (let left = until - clock.now(); left > 0 && !signal.aborted; left = until - clock.now()) {
      await clock.sleep(Math.min(left, LONGEST_REST), signal);
    }
    if (signal.aborted) this.alarm = new AbortController();
  }
}
