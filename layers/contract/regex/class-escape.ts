/** Escapes of a regular expression that stand for one character or for a set of them. */
import { type CharSet, complement, DIGITS, SPACES, WORD } from "./char-set.ts";
import { Untranslatable } from "./pattern.ts";

const SETS: Readonly<Record<string, CharSet>> = { d: DIGITS, w: WORD, s: SPACES };
const CONTROLS: Readonly<Record<string, number>> = { t: 0x09, n: 0x0a, v: 0x0b, f: 0x0c, r: 0x0d };

interface Escape {
  readonly set: CharSet;
  /** Whether it is one character, which may begin or end a range. */
  readonly isOne: boolean;
  /** Length of its text without the backslash. */
  readonly length: number;
}

/** The escape whose text, after the backslash, `rest` begins with. `last` is the greatest character there is. */
export function readEscape(rest: string, last: number, isUnicode: boolean): Escape {
  const letter = rest[0] ?? "";
  const set = SETS[letter.toLowerCase()];
  if (set !== undefined) {
    return { set: letter in SETS ? set : complement(set, last), isOne: false, length: 1 };
  }
  const control = CONTROLS[letter];
  if (control !== undefined) return one(control, 1);
  if (/^0(?!\d)/.test(rest)) return one(0, 1);
  const hex =
    /^x([\da-fA-F]{2})/.exec(rest) ??
    (isUnicode ? /^u\{([\da-fA-F]+)\}/.exec(rest) : null) ??
    /^u([\da-fA-F]{4})/.exec(rest);
  if (hex) {
    const code = Number.parseInt(hex[1] ?? "", 16);
    // With the flag `u` two of them next to each other are one character.
    if (isUnicode && code >= 0xd800 && code <= 0xdfff) throw new Untranslatable(`\\${hex[0]}`);
    return one(code, hex[0].length);
  }
  // Back-references, properties, controls by letter, and what only old engines take for a character.
  if (letter === "" || /[\p{L}\p{N}]/u.test(letter)) throw new Untranslatable(`\\${letter}`);
  const character = isUnicode ? String.fromCodePoint(rest.codePointAt(0) ?? 0) : letter;
  return one(character.codePointAt(0) ?? 0, character.length);
}

const one = (code: number, length: number): Escape => ({ set: [[code, code]], isOne: true, length });
