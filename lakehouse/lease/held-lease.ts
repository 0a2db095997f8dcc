/** A lease that this process holds, and the renewals that keep it. */
import { TransientError } from "../errors.ts";
import type { ObjectStore } from "../store/store.ts";
import type { Clock } from "./clock.ts";
import { encodeLease, epochOf, type LeaseFile, leaseFolder, leasePath } from "./lease-file.ts";

/** The right to be the only one at some work, for as long as it is renewed. */
export interface Lease {
  readonly name: string;
  /** The fencing token: greater than that of every earlier holder. */
  readonly epoch: number;
  readonly owner: string;
  /** Aborted when the lease is lost. What must not happen then asks `check` right before it. */
  readonly signal: AbortSignal;
  /** By this process's own clocks, at this instant; also true to a process that stood still. */
  isHeld(): boolean;
  /** Throws `LEASE_LOST` unless it is held. */
  check(): void;
  /** Gives it back for others to take at once. Does nothing where it is lost. Never rejects: it ends by itself. */
  release(): Promise<void>;
}

/** Milliseconds of a lease's life, by its holder's clock. */
export interface LeaseTimes {
  /** Counted from before a renewal: so long the holder believes in it. */
  readonly trusted: number;
  readonly renewEvery: number;
  readonly retryEvery: number;
}

/** Two clocks at one instant. A machine that was suspended shows it by the wall only. */
export interface Instant {
  readonly elapsed: number;
  readonly now: number;
}

export const instantOf = (clock: Clock): Instant => ({ elapsed: clock.elapsed(), now: clock.now() });

export class HeldLease implements Lease {
  readonly name: string;
  readonly epoch: number;
  readonly owner: string;
  readonly signal: AbortSignal;
  private readonly lost = new AbortController();
  private readonly over = new AbortController();
  private readonly store: ObjectStore;
  private readonly clock: Clock;
  private readonly times: LeaseTimes;
  private file: LeaseFile;
  /** Right before the write that renewed it last. */
  private renewed: Instant;
  private renewing: Promise<unknown> = Promise.resolve();

  constructor(
    where: { readonly store: ObjectStore; readonly name: string; readonly epoch: number },
    file: LeaseFile,
    taken: Instant,
    { clock, times }: { readonly clock: Clock; readonly times: LeaseTimes },
  ) {
    this.store = where.store;
    this.name = where.name;
    this.epoch = where.epoch;
    this.owner = file.owner;
    this.signal = this.lost.signal;
    this.file = file;
    this.renewed = taken;
    this.clock = clock;
    this.times = times;
  }

  /** Begins to renew it. */
  start(): void {
    this.renewing = this.renewUntilOver();
    void this.watch();
  }

  isHeld(): boolean {
    return !this.over.signal.aborted && this.left() > 0;
  }

  check(): void {
    if (this.isHeld()) return;
    throw new TransientError(`the lease of ${this.name} is no longer held by this process`, {
      code: "LEASE_LOST",
      value: { lease: this.name, epoch: this.epoch, owner: this.owner },
      next: "Nothing is lost: who holds it now does the work again.",
    });
  }

  async release(): Promise<void> {
    const held = this.isHeld();
    this.over.abort();
    // A renewal that is under way would take the release back.
    await this.renewing;
    if (!held || this.lost.signal.aborted) return;
    const file = { ...this.file, released: true, renewedAt: new Date(this.clock.now()).toISOString() };
    await this.store.put(leasePath(this.name, this.epoch), encodeLease(file)).catch(() => {});
  }

  /** Milliseconds for which it is still believed in. */
  private left(): number {
    const { elapsed, now } = instantOf(this.clock);
    return this.times.trusted - Math.max(elapsed - this.renewed.elapsed, now - this.renewed.now);
  }

  private lose(): void {
    this.over.abort();
    this.lost.abort();
  }

  /** Notices the end of it also while a renewal hangs. */
  private async watch(): Promise<void> {
    for (let left = this.left(); !this.over.signal.aborted; left = this.left()) {
      if (left <= 0) this.lose();
      else await this.clock.sleep(left, this.over.signal);
    }
  }

  private async renewUntilOver(): Promise<void> {
    let pause = this.times.renewEvery;
    for (;;) {
      await this.clock.sleep(pause, this.over.signal);
      if (this.over.signal.aborted) return;
      pause = (await this.renew().catch(() => false)) ? this.times.renewEvery : this.times.retryEvery;
    }
  }

  private async renew(): Promise<boolean> {
    const before = instantOf(this.clock);
    if (!this.isHeld()) return false;
    const renewedAt = new Date(before.now).toISOString();
    const file = { ...this.file, renewal: this.file.renewal + 1, renewedAt };
    await this.store.put(leasePath(this.name, this.epoch), encodeLease(file));
    const newest = await newestEpoch(this.store, this.name);
    if (newest !== undefined && newest > this.epoch) this.lose();
    // Too late is too late: others may have taken it for abandoned.
    if (!this.isHeld()) return false;
    this.file = file;
    this.renewed = before;
    return true;
  }
}

/** The epoch that counts; undefined where nobody has held this lease yet. */
export async function newestEpoch(store: ObjectStore, name: string): Promise<number | undefined> {
  const objects = await store.list(leaseFolder(name));
  return objects.flatMap(({ path }) => epochOf(path) ?? []).at(-1);
}
