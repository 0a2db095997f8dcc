/** Letters of a text beyond which nothing is kept: what is made of it is larger still. */
const LONGEST = 4000;

/**
 * What was made before, by a text that says all that it depends on: a process that runs the same models again and again
 * makes it once. What was not asked for the longest time goes first.
 */
export class Remembered<T> {
  private readonly made = new Map<string, Promise<T>>();
  private readonly most: number;

  /** Remembers so many. */
  constructor(most: number) {
    this.most = most;
  }

  /** What was made for this text, or is made now. What `make` throws is passed on, and not remembered. */
  get(text: string, make: () => Promise<T>): Promise<T> {
    if (text.length > LONGEST) return make();
    const known = this.made.get(text);
    this.made.delete(text);
    const value = known ?? make();
    this.made.set(text, value);
    if (known === undefined) value.catch(() => this.made.delete(text));
    for (const oldest of this.made.keys()) {
      if (this.made.size <= this.most) break;
      this.made.delete(oldest);
    }
    return value;
  }
}
