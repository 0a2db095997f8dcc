/** A bound on the bytes a second that several readers take together. */

/** Seconds of the rate that may be taken at once after a pause. */
const BURST_SECONDS = 0.25;

/**
 * A bucket that fills at a steady rate and may be overdrawn: whoever takes bytes has them, and waits as long as the
 * bucket needs to come back to nothing. Over any time the readers take at most the rate's bytes, the burst, and one
 * buffer each.
 */
export class RateLimit {
  private readonly bytesPerMs: number;
  private readonly burst: number;
  private readonly now: () => number;
  private balance: number;
  private filledAt: number;

  /** `now`: milliseconds of a clock that does not go back. */
  constructor(megabytesPerSecond: number, now: () => number = () => performance.now()) {
    this.bytesPerMs = megabytesPerSecond * 1000;
    this.burst = megabytesPerSecond * 1_000_000 * BURST_SECONDS;
    this.now = now;
    this.balance = this.burst;
    this.filledAt = now();
  }

  /** Takes bytes that have arrived; answers the milliseconds to wait before the next are asked for. */
  take(bytes: number): number {
    const now = this.now();
    this.balance = Math.min(this.burst, this.balance + (now - this.filledAt) * this.bytesPerMs);
    this.filledAt = now;
    this.balance -= bytes;
    return this.balance >= 0 ? 0 : Math.ceil(-this.balance / this.bytesPerMs);
  }
}
