/** What a job has to do next, by its records; and doing it under a lease. */

import { guardedStore } from "../../lakehouse/lease/guarded-store.ts";
import type { Lease } from "../../lakehouse/lease/held-lease.ts";
import { lastDue } from "../../layers/schedule/due-times.ts";
import { nextRun } from "../../layers/schedule/next-run.ts";
import { type DoneRun, type Records, RunRecords } from "../../layers/schedule/run-records.ts";
import { carryOut } from "./carry-out.ts";
import type { Job, Services } from "./job.ts";

/** Runs that stay on record. */
const KEPT = 1_000;
/** Runs after which the oldest records are removed. */
const PRUNED_EVERY = 100;

/** A run that is due at a time, or is not to start yet: what it comes after has not come. */
export interface Expected {
  readonly due: number;
  /** When it starts. */
  readonly at: number;
  readonly missed: number;
  /** Whether it waits for others whose end is not known. */
  readonly waits: boolean;
  readonly claims: Records["claims"];
  readonly consumed?: Readonly<Record<string, string>>;
}

export class DueJob {
  readonly job: Job;
  private readonly services: Services;
  private readonly records: RunRecords;
  /** Of the jobs that this one comes after, and those that they come after. */
  private readonly others = new Map<string, RunRecords>();
  /** Everything up to here is settled: records before it are not looked at again. */
  private settled: number | undefined;
  /** The newest due run that waited for others: until it is settled, it is not missed. */
  private waiting: number | undefined;
  private ended = 0;

  constructor(job: Job, services: Services) {
    this.job = job;
    this.services = services;
    this.records = new RunRecords(services.store, job.name);
  }

  /** The run that is due, or will be; undefined where it is not known when. */
  async expected(): Promise<Expected | undefined> {
    const { schedule } = this.job;
    const { done, claims } = await this.records.read(this.settled);
    this.settled = done.at(-1) ?? this.settled;
    const after = this.settled;
    const open = claims.filter(({ due }) => after === undefined || due > after);
    const { cron } = schedule;
    if (cron === undefined) return this.afterOthers(open);
    const now = this.services.clock.now();
    const timetable = { ...schedule, cron };
    const since = await this.records.knownSince(timetable, now);
    const state = { since, settled: after, begun: open[0]?.due ?? this.waiting };
    const next = nextRun(this.job.name, timetable, state, now, this.services.grace);
    if (next === undefined) return undefined;
    const waits = next.at <= now && !(await this.othersAreReady(next.due));
    if (waits) this.waiting = next.due;
    return { ...next, waits, claims };
  }

  /** Whether a run for this due time or a later one is on record, as far as was seen when it was looked for the last time. */
  isSettled(due: number): boolean {
    return this.settled !== undefined && this.settled >= due;
  }

  /**
   * Runs what is due. Only under the job's lease. Answers what was put on record; undefined for a run that was left.
   * Rejects when the records cannot be read or written.
   */
  async run(expected: Expected, lease: Lease): Promise<DoneRun | undefined> {
    const { due, missed, claims, consumed } = expected;
    const records = this.guarded(lease);
    const own = claims.filter((claim) => claim.due === due && claim.epoch < lease.epoch);
    const earlier = await Promise.all(own.map(({ epoch }) => records.readClaim(due, epoch)));
    const log = {
      earlier: earlier.flatMap((claim) => claim ?? []),
      begin: (claim: Parameters<RunRecords["claim"]>[2]) => records.claim(due, lease.epoch, claim),
      end: (done: DoneRun) => records.finish(due, done, [...claims, { due, epoch: lease.epoch }]),
    };
    const run = { job: this.job, due, reason: "due" as const, missed, lease, log };
    const done = await carryOut(consumed === undefined ? run : { ...run, consumed }, this.services);
    if (done !== undefined && ++this.ended % PRUNED_EVERY === 1) await records.prune(KEPT).catch(() => {});
    return done;
  }

  /** Runs it now, whatever is due, once: what fails is not tried again. Only under the job's lease. */
  async runExtra(reason: "changes" | "asked", lease: Lease): Promise<DoneRun | undefined> {
    const records = this.guarded(lease);
    const end = (done: DoneRun) => (reason === "asked" ? records.recordExtra(done) : Promise.resolve());
    const job = { ...this.job, schedule: { ...this.job.schedule, retries: 0 } };
    const log = { earlier: [], begin: () => Promise.resolve(), end };
    const due = this.services.clock.now();
    return carryOut({ job, due, reason, missed: 0, lease, log }, this.services);
  }

  /** Who paused it, if it is paused. */
  async pausedBy(): Promise<string | undefined> {
    return (await this.records.readPause())?.by;
  }

  private guarded(lease: Lease): RunRecords {
    return new RunRecords(
      guardedStore(this.services.store, () => lease.check()),
      this.job.name,
    );
  }

  private recordsOf(job: Job): RunRecords {
    const records = this.others.get(job.name) ?? new RunRecords(this.services.store, job.name);
    this.others.set(job.name, records);
    return records;
  }

  /** Whether each job that this one comes after has succeeded for its own newest due time up to this one. */
  private async othersAreReady(due: number): Promise<boolean> {
    for (const other of this.job.after) {
      const needed = await this.newestDue(other, due);
      if ((await this.recordsOf(other).newestSuccess(needed)) === undefined) return false;
    }
    return true;
  }

  /** The due time up to `until` that a job must have succeeded for; undefined where any will do. */
  private async newestDue(job: Job, until: number): Promise<number | undefined> {
    const { cron, timeZone } = job.schedule;
    if (cron === undefined) {
      const others = await Promise.all(job.after.map((other) => this.newestDue(other, until)));
      return others.reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a), undefined);
    }
    const since = await this.recordsOf(job).knownSince({ cron, timeZone }, this.services.clock.now());
    return lastDue({ cron, timeZone }, since, until);
  }

  /** Of a job without a timetable: it is due when all of the others have succeeded since it took them in. */
  private async afterOthers(claims: Records["claims"]): Promise<Expected | undefined> {
    const last = this.settled === undefined ? undefined : await this.records.readDone(this.settled);
    const consumed: Record<string, string> = {};
    let due = 0;
    for (const other of this.job.after) {
      const before = last?.consumed?.[other.name];
      const from = before === undefined ? undefined : Date.parse(before) + 1000;
      const success = await this.recordsOf(other).newestSuccess(from);
      if (success === undefined) return undefined;
      consumed[other.name] = new Date(success).toISOString();
      due = Math.max(due, success);
    }
    if (this.job.after.length === 0) return undefined;
    return { due, at: due, missed: 0, waits: false, claims, consumed };
  }
}
