/** Time that passes when a test says so, for several processes with clocks of their own. */
import type { Clock } from "../../lakehouse/lease/clock.ts";

interface Timer {
  readonly at: number;
  readonly process: Process;
  readonly ring: () => void;
}

interface Process {
  stopped: boolean;
  readonly rate: number;
  readonly ahead: number;
}

/** A process's clock; stopped, none of its timers rings. */
export interface ProcessClock extends Clock {
  stop(): void;
  resume(): void;
}

/** The first instant of every timeline. */
export const EPOCH = Date.UTC(2026, 0, 1);

export class Timeline {
  private time = 0;
  private timers: Timer[] = [];

  /** A clock that goes at `rate` and whose wall is `ahead` milliseconds. */
  clock({ rate = 1, ahead = 0 }: { readonly rate?: number; readonly ahead?: number } = {}): ProcessClock {
    const process: Process = { stopped: false, rate, ahead };
    return {
      now: () => EPOCH + Math.round(this.time * rate) + ahead,
      elapsed: () => this.time * rate,
      sleep: (milliseconds, signal) => this.sleep(process, milliseconds, signal),
      stop: () => {
        process.stopped = true;
      },
      resume: () => {
        process.stopped = false;
      },
    };
  }

  /** Lets time pass: what wakes does what it can before the next wakes. `look` is called after each. */
  async pass(milliseconds: number, look: () => void = () => {}): Promise<void> {
    const end = this.time + milliseconds;
    await settle();
    for (let next = this.next(end); next !== undefined; next = this.next(end)) {
      this.time = Math.max(this.time, next.at);
      this.timers = this.timers.filter((timer) => timer !== next);
      next.ring();
      await settle();
      look();
    }
    this.time = end;
    look();
  }

  private next(end: number): Timer | undefined {
    return this.timers
      .filter((timer) => timer.at <= end && !timer.process.stopped)
      .reduce<Timer | undefined>(
        (first, timer) => (first && first.at <= timer.at ? first : timer),
        undefined,
      );
  }

  private sleep(process: Process, milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer: Timer = {
        at: this.time + Math.max(0, milliseconds) / process.rate,
        process,
        ring: () => {
          signal?.removeEventListener("abort", leave);
          resolve();
        },
      };
      const leave = () => {
        this.timers = this.timers.filter((other) => other !== timer);
        timer.ring();
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.timers.push(timer);
    });
  }
}

/** Lets everything happen that waits for no timer. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
