/** JavaScript's regular expressions for DuckDB, whose engine is RE2 and whose texts are code points. */
import { type CharSet, surrogatesIn, withoutSurrogates } from "./char-set.ts";
import { parsePattern } from "./parse.ts";
import { type Pattern, Untranslatable } from "./pattern.ts";

export interface Re2Pattern {
  readonly text: string;
  /** Whether it says the same of every text; else not of those with characters beyond 0xffff. */
  readonly isExact: boolean;
}

/** Characters that are two units, and so two characters, to JavaScript's expressions without the flag `u`. */
export const BEYOND_UNITS = "[\\x{10000}-\\x{10FFFF}]";

/** RE2 refuses more repetitions, also nested ones multiplied. */
const MAX_REPEAT = 1000;
/** Bound of the size of what RE2 compiles, well within its memory. */
const MAX_SIZE = 20_000;

/** The same expression for RE2, for a search in the text; undefined where there is none. */
export function toRe2(regex: RegExp): Re2Pattern | undefined {
  try {
    const writer = new Re2Writer(regex.unicode);
    // In a group, because DuckDB rewrites some bare patterns into LIKE, and \A alone wrongly.
    const text = `(${writer.write(parsePattern(regex), 1)})`;
    return { text, isExact: writer.isExact() };
  } catch (error) {
    if (error instanceof Untranslatable) return undefined;
    throw error;
  }
}

class Re2Writer {
  private readonly isUnicode: boolean;
  private size = 0;
  private takesHalvesSingly = false;

  constructor(isUnicode: boolean) {
    this.isUnicode = isUnicode;
  }

  /**
   * A set that takes any half of a character takes the whole one as well if it repeats freely: where such a repetition
   * stops in the middle of a character, it can as well go on or not begin.
   */
  isExact(): boolean {
    return !this.takesHalvesSingly;
  }

  /** `times`: how often it is repeated by what is around it. */
  write(pattern: Pattern, times: number, isStarred = false): string {
    switch (pattern.kind) {
      case "set":
        return this.set(pattern.set, times, isStarred);
      case "sequence":
        return `(?:${pattern.items.map((item) => this.write(item, times)).join("")})`;
      case "either":
        return `(?:${pattern.options.map((option) => this.write(option, times)).join("|")})`;
      case "at":
        return this.place(pattern.place);
      case "repeat": {
        const { min, max } = pattern;
        const isFree = max === Number.POSITIVE_INFINITY;
        const count = Math.max(1, isFree ? min : max);
        if (times * count > MAX_REPEAT) throw new Untranslatable(`${times * count} repetitions`);
        const item = this.write(pattern.item, times * count, isFree && min === 0);
        return `(?:${item})${quantifier(min, max)}`;
      }
    }
  }

  private place(place: "start" | "end" | "boundary"): string {
    if (place === "start") return "\\A";
    return place === "end" ? "\\z" : "\\b";
  }

  private set(set: CharSet, times: number, isStarred: boolean): string {
    let ranges = withoutSurrogates(set);
    if (!this.isUnicode) {
      const halves = surrogatesIn(set);
      if (halves === "some") throw new Untranslatable("halves of characters");
      if (halves === "all") {
        if (!isStarred) this.takesHalvesSingly = true;
        ranges = [...ranges, [0x10000, 0x10ffff]];
      }
    }
    this.size += times * (1 + 4 * ranges.length);
    if (this.size > MAX_SIZE) throw new Untranslatable("its size");
    if (ranges.length === 0) return "[^\\x{0}-\\x{10FFFF}]";
    return `[${ranges.map(([from, to]) => `${hex(from)}-${hex(to)}`).join("")}]`;
  }
}

const hex = (code: number) => `\\x{${code.toString(16).toUpperCase()}}`;

function quantifier(min: number, max: number): string {
  if (max === Number.POSITIVE_INFINITY) return min === 0 ? "*" : min === 1 ? "+" : `{${min},}`;
  return min === 0 && max === 1 ? "?" : `{${min},${max}}`;
}
