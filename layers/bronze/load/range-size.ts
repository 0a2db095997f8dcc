/** How much one statement reads. */

/** Bytes of a source table that make one step of a load, where nothing else bounds it. */
export const RANGE_BYTES = 256 * 1024 * 1024;

/** Bytes a second that a reader is expected to take before any was measured: few, so that the first read ends in time. */
const FIRST_RATE = 4_000_000;
/** Part of the time that a statement may take for which it is planned. */
const PLANNED = 0.4;
/** Slower by so much than measured is what a timeout tells. */
const SLOWER = 4;

/** Chooses the size of ranges so that reading one ends well within the time that a statement may take. */
export class RangeSize {
  private readonly seconds: number | undefined;
  private readonly most: number;
  private rate: number;

  /** `firstRate`: bytes a second of one reader. */
  constructor(most: number, seconds: number | undefined, firstRate = FIRST_RATE) {
    this.most = most;
    this.seconds = seconds;
    this.rate = Math.min(firstRate, FIRST_RATE);
  }

  /** Bytes of the next range; `most` may be more for a table that is larger than others. */
  next(most = this.most): number {
    return this.seconds === undefined ? most : Math.min(most, this.rate * this.seconds * PLANNED);
  }

  /** A range was read in this time. */
  measured(bytes: number, milliseconds: number): void {
    if (bytes === 0 || milliseconds <= 0) return;
    const rate = (bytes / milliseconds) * 1000;
    // Slower counts at once, faster by and by, and never much faster than what went well.
    this.rate = rate < this.rate ? rate : Math.min(this.rate * 4, (this.rate + rate) / 2);
  }

  /** A range of so many bytes was not read in time. */
  tooLong(bytes: number): void {
    if (this.seconds !== undefined) this.rate = Math.min(this.rate, bytes / this.seconds) / SLOWER;
  }
}
