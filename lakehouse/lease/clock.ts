/** Time, as leases and schedules see it; another one in tests. */
import { setTimeout as delay } from "node:timers/promises";

export interface Clock {
  /** What the wall says, in milliseconds since the epoch. It may be set, forwards and backwards. */
  now(): number;
  /** Milliseconds since some moment; only ever forward. Stands still while the machine is suspended. */
  elapsed(): number;
  /** Resolves after so many milliseconds, or as soon as the signal is aborted. Never rejects. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

/** Timers of Node take no more. */
const LONGEST = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    const bounded = Math.min(LONGEST, Math.max(0, milliseconds));
    await delay(bounded, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  },
};
