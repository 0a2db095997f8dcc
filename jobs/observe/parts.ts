/** The parts of an observation: each may fail or hang, and the others are there all the same. */
import { codeOf, TransientError } from "../../lakehouse/errors.ts";
import type { EventError } from "../scheduler/events.ts";
import { eventError } from "../scheduler/events.ts";

/** A part that could not be looked at. */
export interface ObservationError {
  /** `table commerce.silver.orders`, `slot commerce`, `published commerce/daily_revenue`. */
  readonly what: string;
  /** Free of secrets. */
  readonly error: EventError;
}

/** What observations leave to later ones, by what it is about. */
export interface Unfinished {
  /** Work that has not come to its end. */
  readonly running: Map<string, Promise<unknown>>;
  /** Answers that came after the end of the observation that asked; `begun` is a time of `performance.now()`. */
  readonly late: Map<string, { readonly answer: unknown; readonly begun: number }>;
}

/** Milliseconds after its beginning for which a late answer stands in for one that is late again. */
const LATE_GOOD_FOR = 300_000;

const LATE = "OBSERVATION_LATE";

/**
 * Looks at parts until their time is over; what takes longer is not begun again while it runs, and its answer is that
 * of the next observation for which it takes too long.
 */
export class Parts {
  readonly errors: ObservationError[] = [];
  private readonly unfinished: Unfinished;
  private readonly deadline: number;
  private isOver = false;

  constructor(unfinished: Unfinished, milliseconds: number) {
    this.unfinished = unfinished;
    this.deadline = performance.now() + milliseconds;
  }

  /** What the work answers; undefined where it failed or is late, which is noted. Never rejects. */
  async look<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      const running = this.unfinished.running.get(what) as Promise<T> | undefined;
      const answer = await this.inTime(what, running ?? work);
      this.unfinished.late.delete(what);
      return answer;
    } catch (error) {
      const late = codeOf(error) === LATE ? this.unfinished.late.get(what) : undefined;
      if (late !== undefined && performance.now() - late.begun < LATE_GOOD_FOR) return late.answer as T;
      this.note(what, error);
      return undefined;
    }
  }

  /** Notes what a part failed of. */
  note(what: string, error: unknown): void {
    this.errors.push({ what, error: eventError(error) });
  }

  private async inTime<T>(what: string, work: Promise<T> | (() => Promise<T>)): Promise<T> {
    const left = this.deadline - performance.now();
    if (left <= 0) throw tooLate(what);
    const working = typeof work === "function" ? this.begin(what, work) : work;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.isOver = true;
        reject(tooLate(what));
      }, left);
    });
    try {
      return await Promise.race([working, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  private begin<T>(what: string, work: () => Promise<T>): Promise<T> {
    const { running, late } = this.unfinished;
    const begun = performance.now();
    const working = work().finally(() => {
      running.delete(what);
      late.delete(what);
    });
    running.set(what, working);
    working.then(
      (answer) => {
        if (this.isOver) late.set(what, { answer, begun });
      },
      // It may fail when nobody waits for it any more.
      () => {},
    );
    return working;
  }
}

const tooLate = (what: string): TransientError =>
  new TransientError("it takes too long to look at", {
    code: LATE,
    value: what,
    next: "It is looked at again.",
  });
