/** For how long WAL has been waiting that capture has not taken. */

interface Seen {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The end of the source's WAL then. */
  readonly written: number;
}

/** Looks that are remembered. */
const MOST = 1_000;

/**
 * Remembers where the WAL ended at each look. What was there at a look and is not acknowledged now has waited since:
 * the time is a lower bound, too short by what passes between two looks, and begins with the first one.
 */
export class WaitingWal {
  private seen: Seen[] = [];
  private acknowledged = 0;

  /** Notes a look, and answers for how many milliseconds, at least, something has been waiting. */
  note(at: number, written: number, acknowledged: number): number {
    // Another slot, or another history of the source.
    if (acknowledged < this.acknowledged || written < (this.seen.at(-1)?.written ?? 0)) this.seen = [];
    this.acknowledged = acknowledged;
    this.seen = this.seen.filter((look) => look.written > acknowledged);
    // Every second one is as good for what has waited so long.
    if (this.seen.length >= MOST) this.seen = this.seen.filter((_, i) => i % 2 === 0);
    if (written > acknowledged) this.seen.push({ at, written });
    const [first] = this.seen;
    return first === undefined ? 0 : Math.max(0, at - first.at);
  }
}
