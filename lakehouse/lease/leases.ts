/**
 * Leases over a store that knows put-if-absent: of any number of processes one at a time holds a name.
 *
 * Nobody trusts another's clock. A holder writes its object anew now and then; who sees it unchanged for long enough by
 * its own clock takes the next epoch. The holder's own patience is shorter and begins earlier, before each write: it has
 * stopped believing in its lease before anybody else can hold it. What a process does that was stopped between
 * looking at its lease and writing is for the fenced commit to refuse; see `guardedStore`.
 */
import { randomUUID } from "node:crypto";
import type { ObjectStore } from "../store/store.ts";
import { type Clock, systemClock } from "./clock.ts";
import { HeldLease, instantOf, type Lease, type LeaseTimes, newestEpoch } from "./held-lease.ts";
import { decodeLease, encodeLease, epochOf, type LeaseFile, leaseFolder, leasePath } from "./lease-file.ts";

export interface LeaseOptions {
  /** Who asks, for people: `host:pid`. */
  readonly owner: string;
  /** Within so many milliseconds a holder that died is replaced by who waits; 15,000 by default. */
  readonly milliseconds?: number;
  readonly clock?: Clock;
}

/** Who holds a lease, as its object says it. It may have died since. */
export interface Holding {
  readonly epoch: number;
  readonly owner: string;
  /** ISO 8601, by the holder's clock. */
  readonly renewedAt: string;
}

/** The object that counts, unchanged since it was first seen so. */
interface Observation {
  readonly epoch: number;
  readonly text: string;
  /** By this process's own clock, after it was read. */
  readonly since: number;
}

/** Epochs that stay. Older ones are no longer looked at, unless by one who listed them a few holdings ago. */
const KEPT = 4;

export class Leases {
  readonly owner: string;
  /** Milliseconds after which one who waits should ask again. */
  readonly pollEvery: number;
  private readonly store: ObjectStore;
  private readonly clock: Clock;
  private readonly times: LeaseTimes;
  /** Unchanged for so many milliseconds, a lease is abandoned. */
  private readonly abandonedAfter: number;
  private readonly seen = new Map<string, Observation>();

  constructor(store: ObjectStore, { owner, milliseconds = 15_000, clock = systemClock }: LeaseOptions) {
    this.store = store;
    this.owner = owner;
    this.clock = clock;
    // Renewal, looks of others and their patience together stay below what was promised.
    this.abandonedAfter = (milliseconds * 2) / 3;
    this.times = {
      trusted: milliseconds * 0.6,
      renewEvery: milliseconds / 5,
      retryEvery: milliseconds / 30,
    };
    this.pollEvery = milliseconds / 6;
  }

  /** Takes the lease if nobody holds it. Rejects when the store fails; whatever it did, the lease is then not held. */
  async tryTake(name: string): Promise<Lease | undefined> {
    const before = this.clock.elapsed();
    const epoch = await newestEpoch(this.store, name);
    if (epoch === undefined) return this.take(name, 1);
    const bytes = await this.store.get(leasePath(name, epoch));
    // Gone between the listing and the read: others were faster by several holdings.
    if (bytes === undefined || !this.isFree(name, epoch, bytes, before)) return undefined;
    return this.take(name, epoch + 1);
  }

  /** Who holds the lease; undefined where it is free for the taking, or was never taken. */
  async holding(name: string): Promise<Holding | undefined> {
    const epoch = await newestEpoch(this.store, name);
    const bytes = epoch === undefined ? undefined : await this.store.get(leasePath(name, epoch));
    if (epoch === undefined || bytes === undefined) return undefined;
    const file = decodeLease(bytes);
    if (file?.released) return undefined;
    return { epoch, owner: file?.owner ?? "unknown", renewedAt: file?.renewedAt ?? "" };
  }

  private isFree(name: string, epoch: number, bytes: Uint8Array, before: number): boolean {
    if (decodeLease(bytes)?.released) return true;
    const text = new TextDecoder().decode(bytes);
    const seen = this.seen.get(name);
    if (seen?.epoch === epoch && seen.text === text) return before - seen.since >= this.abandonedAfter;
    this.seen.set(name, { epoch, text, since: this.clock.elapsed() });
    return false;
  }

  private async take(name: string, epoch: number): Promise<Lease | undefined> {
    const before = instantOf(this.clock);
    const file: LeaseFile = {
      owner: this.owner,
      token: randomUUID(),
      renewal: 0,
      renewedAt: new Date(before.now).toISOString(),
      released: false,
    };
    if (!(await this.create(leasePath(name, epoch), file))) return undefined;
    const lease = new HeldLease({ store: this.store, name, epoch }, file, before, {
      clock: this.clock,
      times: this.times,
    });
    let newest: number | undefined;
    try {
      // One who listed long ago creates an epoch that others have taken, left and removed.
      newest = await newestEpoch(this.store, name);
    } catch (error) {
      await lease.release();
      throw error;
    }
    if (newest !== epoch || !lease.isHeld()) {
      await lease.release();
      return undefined;
    }
    lease.start();
    await this.removeOld(name, epoch).catch(() => {});
    return lease;
  }

  /** Whether it was this call that created the object, also where the store cannot tell. */
  private async create(path: string, file: LeaseFile): Promise<boolean> {
    try {
      return await this.store.putIfAbsent(path, encodeLease(file));
    } catch (error) {
      const found = await this.store.get(path);
      if (found !== undefined && decodeLease(found)?.token === file.token) return true;
      throw error;
    }
  }

  private async removeOld(name: string, epoch: number): Promise<void> {
    for (const { path } of await this.store.list(leaseFolder(name))) {
      if ((epochOf(path) ?? epoch) <= epoch - KEPT) await this.store.delete(path);
    }
  }
}
