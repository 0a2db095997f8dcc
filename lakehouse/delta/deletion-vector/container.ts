/**
 * Up to 65,536 neighbouring row indexes by their low 16 bits, in one of the three forms of a Roaring bitmap: sorted
 * values while they are few, a bit each when they are many, runs as they were read until the first change.
 */

/** Beyond this many values a bitmap is smaller than their list; the format requires the change at this very point. */
export const MOST_SORTED = 4096;
/** Bytes of a bitmap. */
export const BITMAP_BYTES = 8192;
/** Values that a container can hold. */
export const CONTAINER_VALUES = 65_536;

const BITS_SET = new Uint8Array(256);
for (let byte = 1; byte < 256; byte++) BITS_SET[byte] = (byte & 1) + (BITS_SET[byte >> 1] ?? 0);

/** Bits set in a bitmap. */
export function countBits(bits: Uint8Array): number {
  let count = 0;
  for (let i = 0; i < bits.length; i++) count += BITS_SET[bits[i] ?? 0] ?? 0;
  return count;
}

type Form =
  /** Ascending in the first `count` places; the rest is room. */
  | { readonly kind: "sorted"; values: Uint16Array }
  /** Bit `v & 7` of byte `v >> 3`, as the format lays it out on every machine. */
  | { readonly kind: "bits"; readonly bits: Uint8Array }
  /** First and last value of each run by turns, ascending, not overlapping. */
  | { readonly kind: "runs"; readonly bounds: Uint16Array };

export class Container {
  private form: Form;
  private held: number;

  private constructor(form: Form, held: number) {
    this.form = form;
    this.held = held;
  }

  static empty(): Container {
    return new Container({ kind: "sorted", values: new Uint16Array(4) }, 0);
  }

  /** Takes over ascending, distinct values, at most `MOST_SORTED`. */
  static ofSorted(values: Uint16Array): Container {
    return new Container({ kind: "sorted", values }, values.length);
  }

  /** Takes over a bitmap of `BITMAP_BYTES` with `count` bits set. */
  static ofBits(bits: Uint8Array, count: number): Container {
    return new Container({ kind: "bits", bits }, count);
  }

  /** Takes over the first and last values of `count` values' runs, ascending and not overlapping. */
  static ofRuns(bounds: Uint16Array, count: number): Container {
    return new Container({ kind: "runs", bounds }, count);
  }

  /** Values held. */
  get count(): number {
    return this.held;
  }

  has(value: number): boolean {
    const { form } = this;
    if (form.kind === "bits") return ((form.bits[value >> 3] ?? 0) & (1 << (value & 7))) !== 0;
    if (form.kind === "sorted") return form.values[lowerBound(form.values, this.held, value)] === value;
    const at = lowerBound(form.bounds, form.bounds.length, value);
    // Between the first and the last of a run, or on one of them.
    return at < form.bounds.length && (at % 2 === 1 || form.bounds[at] === value);
  }

  add(value: number): void {
    const { form } = this;
    if (form.kind === "bits") {
      const at = value >> 3;
      const byte = form.bits[at] ?? 0;
      const bit = 1 << (value & 7);
      if ((byte & bit) !== 0) return;
      form.bits[at] = byte | bit;
      this.held++;
    } else if (form.kind === "sorted") {
      this.insert(form, value);
    } else if (!this.has(value)) {
      this.form = this.held < MOST_SORTED ? { kind: "sorted", values: this.sorted() } : this.asBits();
      this.add(value);
    }
  }

  /** Adds all values of another container, which stays as it was. */
  union(other: Container): void {
    if (this.form.kind === "bits" || other.held > MOST_SORTED) {
      const bits = this.bitmap();
      const others = other.bitmap();
      for (let i = 0; i < BITMAP_BYTES; i++) bits[i] = (bits[i] ?? 0) | (others[i] ?? 0);
      this.form = { kind: "bits", bits };
      this.held = countBits(bits);
    } else {
      for (const value of other.sorted()) this.add(value);
    }
  }

  copy(): Container {
    const { form } = this;
    if (form.kind === "bits") return Container.ofBits(form.bits.slice(), this.held);
    return form.kind === "sorted"
      ? Container.ofSorted(this.sorted().slice())
      : new Container(form, this.held);
  }

  equals(other: Container): boolean {
    if (this.held !== other.held) return false;
    const isEqual = (a: Uint8Array | Uint16Array, b: typeof a) => a.every((value, i) => value === b[i]);
    return this.held > MOST_SORTED
      ? isEqual(this.bitmap(), other.bitmap())
      : isEqual(this.sorted(), other.sorted());
  }

  /** The values, ascending; not to be changed. */
  sorted(): Uint16Array {
    const { form } = this;
    if (form.kind === "sorted") return form.values.subarray(0, this.held);
    const values = new Uint16Array(this.held);
    let n = 0;
    if (form.kind === "runs") {
      for (let i = 0; i < form.bounds.length; i += 2) {
        const last = form.bounds[i + 1] ?? 0;
        for (let value = form.bounds[i] ?? 0; value <= last; value++) values[n++] = value;
      }
      return values;
    }
    for (let at = 0; at < BITMAP_BYTES; at++) {
      // Each turn takes the lowest bit.
      for (let rest = form.bits[at] ?? 0; rest !== 0; rest &= rest - 1) {
        values[n++] = at * 8 + 31 - Math.clz32(rest & -rest);
      }
    }
    return values;
  }

  /** The values as a bitmap; not to be changed. */
  bitmap(): Uint8Array {
    return this.form.kind === "bits" ? this.form.bits : this.asBits().bits;
  }

  /** First and last value of each run by turns; not to be changed. Undefined where there are more than `most` runs. */
  runs(most: number): Uint16Array | undefined {
    if (this.form.kind === "runs" && this.form.bounds.length <= 2 * most) return this.form.bounds;
    const bounds: number[] = [];
    let last = -2;
    for (const value of this.sorted()) {
      if (value !== last + 1) {
        if (bounds.length === 2 * most) return undefined;
        bounds.push(value, value);
      } else bounds[bounds.length - 1] = value;
      last = value;
    }
    return Uint16Array.from(bounds);
  }

  private asBits() {
    const bits = new Uint8Array(BITMAP_BYTES);
    for (const value of this.sorted()) bits[value >> 3] = (bits[value >> 3] ?? 0) | (1 << (value & 7));
    return { kind: "bits" as const, bits };
  }

  private insert(form: Form & { kind: "sorted" }, value: number): void {
    const { held } = this;
    const last = held === 0 ? -1 : (form.values[held - 1] ?? 0);
    if (value === last) return;
    const at = value > last ? held : lowerBound(form.values, held, value);
    if (at < held && form.values[at] === value) return;
    if (held === MOST_SORTED) {
      this.form = this.asBits();
      this.add(value);
      return;
    }
    if (held === form.values.length) {
      const roomier = new Uint16Array(Math.min(MOST_SORTED, Math.max(4, 2 * held)));
      roomier.set(form.values);
      form.values = roomier;
    }
    if (at < held) form.values.copyWithin(at + 1, at, held);
    form.values[at] = value;
    this.held++;
  }
}

/** The first of the first `length` places whose value is not less than `value`. */
function lowerBound(values: Uint16Array, length: number, value: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((values[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
