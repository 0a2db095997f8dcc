/** Sets of characters as sorted ranges of code points that neither touch nor overlap. */

export type Range = readonly [from: number, to: number];
export type CharSet = readonly Range[];

export const LAST_UNIT = 0xffff;
export const LAST_POINT = 0x10ffff;
/** Halves of the characters beyond 0xffff, as JavaScript has them without the flag `u`. */
const SURROGATES: Range = [0xd800, 0xdfff];

export function charSet(ranges: readonly Range[]): CharSet {
  const result: [number, number][] = [];
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = result.at(-1);
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else result.push([from, to]);
  }
  return result;
}

/** Everything up to `last` that is not in the set. */
export function complement(set: CharSet, last: number): CharSet {
  const result: Range[] = [];
  let next = 0;
  for (const [from, to] of set) {
    if (from > next) result.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= last) result.push([next, last]);
  return result;
}

/** The set with the other case of its ASCII letters; undefined where letters beyond ASCII would have one. */
export function withBothCases(set: CharSet): CharSet | undefined {
  const more: Range[] = [];
  for (const [from, to] of set) {
    if (to > 0x7f) return undefined;
    for (let c = from; c <= to; c++) {
      if ((c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a)) more.push([c ^ 0x20, c ^ 0x20]);
    }
  }
  return charSet([...set, ...more]);
}

/** How much of the surrogates is in a set. */
export function surrogatesIn(set: CharSet): "none" | "some" | "all" {
  if (set.some(([from, to]) => from <= SURROGATES[0] && to >= SURROGATES[1])) return "all";
  return set.some(([from, to]) => from <= SURROGATES[1] && to >= SURROGATES[0]) ? "some" : "none";
}

/** The set without surrogates, which no text in a table has. */
export function withoutSurrogates(set: CharSet): CharSet {
  return set.flatMap(([from, to]): Range[] => {
    if (to < SURROGATES[0] || from > SURROGATES[1]) return [[from, to]];
    const rest: Range[] = [];
    if (from < SURROGATES[0]) rest.push([from, SURROGATES[0] - 1]);
    if (to > SURROGATES[1]) rest.push([SURROGATES[1] + 1, to]);
    return rest;
  });
}

const points = (...codes: number[]): CharSet => charSet(codes.map((c) => [c, c]));

export const LINE_ENDS = points(0x0a, 0x0d, 0x2028, 0x2029);
export const DIGITS: CharSet = [[0x30, 0x39]];
export const WORD = charSet([
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
]);
/** WhiteSpace and LineTerminator of ECMAScript. */
export const SPACES = charSet([
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
]);
