/** Text that has to stand in a given number of terminal columns. */
import stringWidth from "string-width";

const ELLIPSIS = "…";
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/**
 * Characters that form one grapheme with whatever follows them (Unicode, Grapheme_Cluster_Break=Prepend; those of
 * category Cf aside): before a border they would take it in, and no two programs agree on the width of the pair.
 */
const PREPENDING =
  "\\u0d4e\\u{111c2}\\u{111c3}\\u{113d1}\\u{1193f}\\u{11941}\\u{11a3a}\\u{11a84}-\\u{11a89}\\u{11d46}\\u{11f02}";

/** Joiners are what emoji and several scripts are built with; all other invisible characters are shown as codes. */
const CODED = `\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}${PREPENDING}`;
const INVISIBLE = new RegExp(`(?![\\u200c\\u200d])[${CODED}]`, "gu");
const INVISIBLE_IN_LINES = new RegExp(`(?![\\n\\t\\u200c\\u200d])[${CODED}]`, "gu");
const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** One line without control characters: data must not move the cursor, recolour or retitle a terminal. */
export function printable(text: string): string {
  return text.replace(INVISIBLE, showInvisible);
}

/** As `printable`, but line breaks and tabs stay. */
export function printableLines(text: string): string {
  return text.replace(INVISIBLE_IN_LINES, showInvisible);
}

function showInvisible(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  // Half of a surrogate pair is no character; terminals show the replacement character for it.
  if (code >= 0xd800 && code <= 0xdfff) return "\ufffd";
  return NAMED[character] ?? `\\u{${code.toString(16)}}`;
}

/** Columns that text takes; colours take none. */
export function widthOf(text: string): number {
  return stringWidth(text);
}

/** Text (without colours) cut to a width, with `…` where something was cut. */
export function fitText(text: string, width: number): string {
  if (width <= 0) return "";
  // No character is drawn by more than a few code units; a cell of a megabyte need not be measured whole.
  const measured = text.length > width * 16 + 64 ? wellCut(text, width * 16 + 64) : text;
  if (measured === text && widthOf(text) <= width) return text;
  let cut = "";
  let used = 0;
  for (const { segment } of graphemes.segment(measured)) {
    const wide = widthOf(segment);
    if (used + wide > width - 1) break;
    cut += segment;
    used += wide;
  }
  return cut + ELLIPSIS;
}

/** A prefix that does not end in half a surrogate pair. */
export function wellCut(text: string, length: number): string {
  const code = text.charCodeAt(length - 1);
  return text.slice(0, code >= 0xd800 && code <= 0xdbff ? length - 1 : length);
}

/** Text with spaces after it up to a width. Text may carry colours. */
export function padEnd(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - widthOf(text)));
}

/** Text with spaces before it up to a width. Text may carry colours. */
export function padStart(text: string, width: number): string {
  return " ".repeat(Math.max(0, width - widthOf(text))) + text;
}
