/** How much a server does at once. */
import { tooBusy } from "./http-error.ts";

export interface Bounds {
  /** Whole sets that are in memory, on their way to clients. */
  readonly answers: number;
  /** Streams of events that are open. */
  readonly streams: number;
  /** Bytes that wait for a reader of events; who is further behind is dropped. */
  readonly behind: number;
  /** Milliseconds after which a client that takes nothing is dropped. */
  readonly idle: number;
  /** Milliseconds that an answer may take, however little of it is taken at a time. */
  readonly longest: number;
  /** Milliseconds between two heartbeats of a stream. */
  readonly heartbeat: number;
}

export const BOUNDS: Bounds = {
  answers: 16,
  streams: 100,
  behind: 64 * 1024,
  idle: 60_000,
  longest: 600_000,
  heartbeat: 15_000,
};

/** Counts what is under way. */
export class Counter {
  private readonly most: number;
  private readonly what: string;
  private count = 0;

  /** `what`: for people, such as "more answers". */
  constructor(most: number, what: string) {
    this.most = most;
    this.what = what;
  }

  /** Takes a place, and gives what frees it again, once; throws 503 where none is left. */
  take(): () => void {
    if (this.count >= this.most) throw tooBusy(this.what);
    this.count += 1;
    let isFree = false;
    return () => {
      if (!isFree) this.count -= 1;
      isFree = true;
    };
  }
}
