/** Reads a JavaScript regular expression. */
import {
  type CharSet,
  charSet,
  complement,
  LAST_POINT,
  LAST_UNIT,
  LINE_ENDS,
  type Range,
  withBothCases,
} from "./char-set.ts";
import { readEscape } from "./class-escape.ts";
import { type Pattern, Untranslatable } from "./pattern.ts";

/** Flags that are understood; `d` and `g` change nothing in a test of one text. */
const FLAGS = /^[dgisu]*$/;

/** @throws Untranslatable */
export function parsePattern(regex: RegExp): Pattern {
  if (!FLAGS.test(regex.flags)) throw new Untranslatable(`flags ${regex.flags}`);
  if (regex.unicode && regex.ignoreCase) throw new Untranslatable("flags iu");
  return new PatternReader(regex).read();
}

class PatternReader {
  private readonly source: string;
  private readonly regex: RegExp;
  /** The greatest character: without the flag `u` a text is a row of 16-bit units. */
  private readonly last: number;
  private at = 0;

  constructor(regex: RegExp) {
    this.regex = regex;
    this.source = regex.source;
    this.last = regex.unicode ? LAST_POINT : LAST_UNIT;
  }

  read(): Pattern {
    const pattern = this.either();
    // The engine has accepted it, so nothing is left unless it was understood differently here.
    if (this.at < this.source.length) throw new Untranslatable(this.rest());
    return pattern;
  }

  private rest(): string {
    return this.source.slice(this.at);
  }

  private take(text: string): boolean {
    if (!this.source.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  private either(): Pattern {
    const options = [this.sequence()];
    while (this.take("|")) options.push(this.sequence());
    return options.length === 1 && options[0] ? options[0] : { kind: "either", options };
  }

  private sequence(): Pattern {
    const items: Pattern[] = [];
    while (this.at < this.source.length && !/^[|)]/.test(this.rest())) {
      items.push(this.place() ?? this.repeated(this.atom()));
    }
    return { kind: "sequence", items };
  }

  private place(): Pattern | undefined {
    if (this.take("^")) return { kind: "at", place: "start" };
    if (this.take("$")) return { kind: "at", place: "end" };
    if (this.take("\\b")) return { kind: "at", place: "boundary" };
    // RE2 finds it also between the bytes of a character.
    if (this.take("\\B")) throw new Untranslatable("\\B");
    return undefined;
  }

  private repeated(item: Pattern): Pattern {
    const match = /^(?:[*+?]|\{(\d+)(,(\d*))?\})/.exec(this.rest());
    if (match === null) return item;
    this.at += match[0].length;
    // Whether it takes much or little first does not decide whether there is a match.
    this.take("?");
    const [text, least, comma, most] = match;
    if (text === "*") return { kind: "repeat", item, min: 0, max: Number.POSITIVE_INFINITY };
    if (text === "+") return { kind: "repeat", item, min: 1, max: Number.POSITIVE_INFINITY };
    if (text === "?") return { kind: "repeat", item, min: 0, max: 1 };
    const min = Number(least);
    return {
      kind: "repeat",
      item,
      min,
      max: comma === undefined ? min : most ? Number(most) : Number.POSITIVE_INFINITY,
    };
  }

  private atom(): Pattern {
    if (this.take("(")) return this.group();
    if (this.take("[")) return { kind: "set", set: this.characterClass() };
    if (this.take(".")) {
      const set: CharSet = this.regex.dotAll ? [[0, this.last]] : complement(LINE_ENDS, this.last);
      return { kind: "set", set };
    }
    const { set, isOne } = this.character();
    return { kind: "set", set: isOne ? this.bothCases(set) : set };
  }

  private group(): Pattern {
    if (!this.take("?:")) {
      const name = /^\?<[^=!>][^>]*>/.exec(this.rest());
      if (name) this.at += name[0].length;
      else if (this.rest().startsWith("?")) throw new Untranslatable(`(${this.rest().slice(0, 3)}`);
    }
    const inner = this.either();
    if (!this.take(")")) throw new Untranslatable("an open group");
    return inner;
  }

  /** One character or escape, outside of classes and in them. */
  private character(): { set: CharSet; isOne: boolean } {
    if (this.take("\\")) {
      const escaped = readEscape(this.rest(), this.last, this.regex.unicode);
      this.at += escaped.length;
      return escaped;
    }
    const code = this.regex.unicode ? this.source.codePointAt(this.at) : this.source.charCodeAt(this.at);
    if (code === undefined || Number.isNaN(code)) throw new Untranslatable("an open class");
    this.at += code > LAST_UNIT ? 2 : 1;
    return { set: [[code, code]], isOne: true };
  }

  /** What the brackets enclose; the opening one was taken. */
  private characterClass(): CharSet {
    const isNegated = this.take("^");
    const stated: Range[] = [];
    const sets: Range[] = [];
    while (!this.take("]")) {
      const from = this.classCharacter();
      const isRange = /^-[^\]]/.test(this.rest());
      if (isRange) this.at++;
      const to = isRange ? this.classCharacter() : from;
      const [low, high] = [from.set[0]?.[0] ?? 0, to.set[0]?.[0] ?? 0];
      if (from.isOne && to.isOne) stated.push([low, high]);
      else if (isRange) throw new Untranslatable("a range of sets");
      else sets.push(...from.set);
    }
    const set = charSet([...this.bothCases(charSet(stated)), ...sets]);
    return isNegated ? complement(set, this.last) : set;
  }

  private classCharacter(): { set: CharSet; isOne: boolean } {
    if (this.take("\\b")) return { set: [[0x08, 0x08]], isOne: true };
    return this.character();
  }

  private bothCases(set: CharSet): CharSet {
    if (!this.regex.ignoreCase) return set;
    const both = withBothCases(set);
    if (both === undefined) throw new Untranslatable("letters beyond ASCII without regard to case");
    return both;
  }
}
