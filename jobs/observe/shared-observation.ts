/** One observation for all who ask for it: few are made, however many ask and however long one takes. */
import { setMaxListeners } from "node:events";
import type { Observation } from "./observation.ts";
import { within } from "./within.ts";

export interface SharingOptions {
  /** Milliseconds for which an observation is as good as a new one; 10,000 by default. */
  readonly freshFor?: number;
  /** Milliseconds for which it is better than none, while a new one takes long; 300,000 by default. */
  readonly goodFor?: number;
  /** Milliseconds that somebody waits for a new one; 5,000 by default. */
  readonly patience?: number;
}

export class SharedObservation {
  private readonly observe: () => Promise<Observation>;
  private readonly options: Required<SharingOptions>;
  private readonly listeners: ((observation: Observation) => void)[] = [];
  private last: Observation | undefined;
  private running: Promise<Observation | undefined> | undefined;
  private readonly closing = new AbortController();

  /** `observe`: says of itself when it was made. */
  constructor(observe: () => Promise<Observation>, options: SharingOptions = {}) {
    // As many as wait.
    setMaxListeners(0, this.closing.signal);
    this.observe = observe;
    this.options = { freshFor: 10_000, goodFor: 300_000, patience: 5_000, ...options };
  }

  /** Calls for each observation that is made. */
  onMade(listener: (observation: Observation) => void): void {
    this.listeners.push(listener);
  }

  /** The newest there is; undefined where a new one takes too long and the one before is too old. Never rejects. */
  async newest(): Promise<Observation | undefined> {
    const { freshFor, patience, goodFor } = this.options;
    if (this.youngerThan(freshFor)) return this.last;
    if (this.closing.signal.aborted) return undefined;
    const made = await within(patience, this.make(), this.closing.signal);
    return made ?? (this.youngerThan(goodFor) ? this.last : undefined);
  }

  /** Begins no more, and gives what is under way so many milliseconds to end. */
  async close(milliseconds = 2_000): Promise<void> {
    this.closing.abort();
    if (this.running !== undefined) await within(milliseconds, this.running);
  }

  private youngerThan(milliseconds: number): boolean {
    if (this.last === undefined) return false;
    const age = Date.now() - this.last.at;
    // A clock that was set back makes everything look new.
    return age >= 0 && age < milliseconds;
  }

  private make(): Promise<Observation | undefined> {
    this.running ??= this.observe()
      .then((observation) => {
        this.last = observation;
        for (const listen of this.listeners) listen(observation);
        return observation;
      })
      .catch(() => undefined)
      .finally(() => {
        this.running = undefined;
      });
    return this.running;
  }
}
