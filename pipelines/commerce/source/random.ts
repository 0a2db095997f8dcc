/** Seeded chance: the same seed gives the same numbers on every machine, so the same shop. */
export class Random {
  private state: number;

  /** `stream` makes an independent sequence of the same seed, so that one part can change without the others. */
  constructor(seed: number, stream = 0) {
    this.state = mixed(Math.trunc(seed / 2 ** 32) ^ mixed(seed ^ mixed(stream + 0x9e3779b9)));
  }

  /** Uniform in [0, 1); mulberry32, which is fast and far better than a fill needs. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** Uniform whole number from `low` to `high`, both included. */
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(values: readonly T[]): T {
    const value = values[Math.floor(this.next() * values.length)];
    if (value === undefined) throw new RangeError("nothing to pick from");
    return value;
  }

  /** Roughly normal with mean 0 and deviation 1; never beyond ±3.5. */
  bell(): number {
    return (this.next() + this.next() + this.next() + this.next() - 2) * Math.sqrt(3);
  }
}

function mixed(value: number): number {
  let h = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Draws indexes with given weights in constant time, whatever their number (Vose's alias method). */
export class WeightedIndex {
  private readonly keep: Float64Array;
  private readonly alias: Uint32Array;

  constructor(weights: ArrayLike<number>) {
    const count = weights.length;
    const sum = Array.from(weights).reduce((a, b) => a + b, 0);
    if (!(sum > 0)) throw new RangeError("at least one weight must be above 0");
    this.keep = new Float64Array(count).fill(1);
    this.alias = new Uint32Array(count);
    const scaled = Float64Array.from(weights, (weight) => (weight * count) / sum);
    const small: number[] = [];
    const large: number[] = [];
    for (const [index, weight] of scaled.entries()) (weight < 1 ? small : large).push(index);
    let last = 0;
    for (let from = small.pop(); from !== undefined; from = small.pop()) {
      const to = large.pop();
      const share = scaled[from] ?? 0;
      this.keep[from] = share;
      // Rounding can leave small ones over; they lean on the last large one, so that a weight of 0 is never drawn.
      this.alias[from] = to ?? last;
      if (to === undefined) continue;
      last = to;
      const rest = (scaled[to] ?? 0) - (1 - share);
      scaled[to] = rest;
      (rest < 1 ? small : large).push(to);
    }
  }

  draw(random: Random): number {
    const index = Math.floor(random.next() * this.keep.length);
    return random.next() < (this.keep[index] ?? 1) ? index : (this.alias[index] ?? index);
  }
}

/** Weights by rank after Zipf: few sell most. */
export function zipf(count: number, exponent: number): Float64Array {
  return Float64Array.from({ length: count }, (_, rank) => 1 / (rank + 3) ** exponent);
}
