/** Maps that change by little: a new version shares all that it has in common with the one before. */

/** Entries that changed; undefined where one was taken away. */
type Layer<V> = ReadonlyMap<string, V | undefined>;

/**
 * A read-only map of layers, the last one on top. A new layer costs its own size: it is joined with those below it
 * that are not much larger, so that there are few (as many as the size has binary digits). Going through all entries
 * makes one layer of them, once. Values are never undefined.
 */
export class LayeredMap<V> implements ReadonlyMap<string, V> {
  #layers: readonly Layer<V>[];
  readonly size: number;

  private constructor(layers: readonly Layer<V>[], size: number) {
    this.#layers = layers;
    this.size = size;
    // Equality in tests goes by the entries.
    Object.defineProperty(this, "size", { enumerable: false });
  }

  static empty<V>(): LayeredMap<V> {
    return new LayeredMap<V>([], 0);
  }

  /** This map with entries changed; `size` is that of the result. */
  with(changes: Layer<V>, size: number): LayeredMap<V> {
    if (changes.size === 0) return this;
    let kept = this.#layers.length;
    let top = changes.size;
    for (; kept > 0; kept--) {
      const below = this.#layers[kept - 1]?.size ?? 0;
      if (below > 2 * top) break;
      top += below;
    }
    const above = [...this.#layers.slice(kept), changes];
    const layer = above.length === 1 ? changes : joined(above, kept === 0);
    return new LayeredMap([...this.#layers.slice(0, kept), layer], size);
  }

  get(key: string): V | undefined {
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const layer = this.#layers[i];
      const value = layer?.get(key);
      if (value !== undefined || layer?.has(key)) return value;
    }
    return undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  entries(): MapIterator<[string, V]> {
    return this.flat().entries();
  }

  keys(): MapIterator<string> {
    return this.flat().keys();
  }

  values(): MapIterator<V> {
    return this.flat().values();
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.flat()) callback(value, key, this);
  }

  get [Symbol.toStringTag](): string {
    return "Map";
  }

  private flat(): ReadonlyMap<string, V> {
    const [bottom = new Map<string, V>(), ...above] = this.#layers;
    const flat = above.length === 0 ? bottom : joined([bottom, ...above], true);
    this.#layers = [flat];
    // The bottom layer takes nothing away.
    return flat as ReadonlyMap<string, V>;
  }
}

/** Several layers as one. At the bottom there is nothing left to take away. */
function joined<V>(layers: readonly Layer<V>[], atBottom: boolean): Layer<V> {
  const result = new Map<string, V | undefined>();
  for (const layer of layers) {
    for (const [key, value] of layer) {
      if (value === undefined && atBottom) result.delete(key);
      else result.set(key, value);
    }
  }
  return result;
}

/** Changes to a map on their way to be the next one. */
export class MapChanges<V> {
  private readonly base: LayeredMap<V>;
  private readonly changes = new Map<string, V | undefined>();
  private size: number;

  constructor(base: LayeredMap<V> = LayeredMap.empty()) {
    this.base = base;
    this.size = base.size;
  }

  get(key: string): V | undefined {
    return this.changes.has(key) ? this.changes.get(key) : this.base.get(key);
  }

  set(key: string, value: V): void {
    if (this.get(key) === undefined) this.size += 1;
    this.changes.set(key, value);
  }

  delete(key: string): void {
    if (this.size === 0 || this.get(key) === undefined) return;
    this.size -= 1;
    if (this.base.has(key)) this.changes.set(key, undefined);
    else this.changes.delete(key);
  }

  finish(): LayeredMap<V> {
    return this.base.with(this.changes, this.size);
  }
}
