/** Sets of row indexes of one data file, as deletion vectors hold them. */
import { CONTAINER_VALUES, Container } from "./container.ts";

/**
 * A mutable set of integers from 0 up to 2^53 - 1. It takes two bytes a row where rows are few, an eighth of a
 * byte and 8 kB a 65,536 neighbours where they are many. Everything that gives rows gives them ascending.
 */
export class RowSet implements Iterable<number> {
  /** By the rows' value divided by 65,536. */
  private readonly byChunk = new Map<number, Container>();
  /** Chunks in ascending order, until another is added. */
  private order: number[] | undefined = [];
  /** Rows mostly come in order: the chunk that was added to last. */
  private chunk = -1;
  private container = Container.empty();

  /** A set of these rows, in any order, with repetitions. */
  static of(rows: Iterable<number | bigint>): RowSet {
    const set = new RowSet();
    set.addAll(rows);
    return set;
  }

  /** How many rows there are. */
  get cardinality(): number {
    let count = 0;
    for (const container of this.byChunk.values()) count += container.count;
    return count;
  }

  /** Adds one row. Throws a RangeError for what is no index of a row. */
  add(row: number): void {
    if (!Number.isSafeInteger(row) || row < 0) throw new RangeError(`${row} is not the index of a row`);
    const chunk = Math.floor(row / CONTAINER_VALUES);
    if (chunk !== this.chunk) {
      this.container = this.open(chunk);
      this.chunk = chunk;
    }
    this.container.add(row - chunk * CONTAINER_VALUES);
  }

  /** Adds rows in any order, with repetitions; ascending is fastest. */
  addAll(rows: Iterable<number | bigint>): void {
    for (const row of rows) this.add(Number(row));
  }

  has(row: number): boolean {
    const chunk = Math.floor(row / CONTAINER_VALUES);
    return this.byChunk.get(chunk)?.has(row - chunk * CONTAINER_VALUES) ?? false;
  }

  /** Adds all rows of another set, which stays as it was. */
  union(other: RowSet): void {
    for (const [chunk, container] of other.byChunk) {
      const own = this.byChunk.get(chunk);
      if (own) own.union(container);
      else this.put(chunk, container.copy());
    }
  }

  equals(other: RowSet): boolean {
    if (this.byChunk.size !== other.byChunk.size) return false;
    for (const [chunk, container] of this.byChunk) {
      const same = other.byChunk.get(chunk);
      if (same === undefined || !container.equals(same)) return false;
    }
    return true;
  }

  *[Symbol.iterator](): Iterator<number> {
    for (const [chunk, container] of this.containers()) {
      for (const value of container.sorted()) yield chunk * CONTAINER_VALUES + value;
    }
  }

  /** The containers, none of them empty, with what their rows have in common divided by 65,536; not to be changed. */
  *containers(): Iterable<readonly [chunk: number, container: Container]> {
    this.order ??= [...this.byChunk.keys()].sort((a, b) => a - b);
    for (const chunk of this.order) {
      const container = this.byChunk.get(chunk);
      if (container) yield [chunk, container];
    }
  }

  /** Takes over a container that holds something, for a chunk that the set has nothing of. */
  put(chunk: number, container: Container): void {
    this.byChunk.set(chunk, container);
    const last = this.order?.at(-1) ?? -1;
    if (chunk > last) this.order?.push(chunk);
    else this.order = undefined;
  }

  private open(chunk: number): Container {
    let container = this.byChunk.get(chunk);
    if (container === undefined) {
      container = Container.empty();
      this.put(chunk, container);
    }
    return container;
  }
}
