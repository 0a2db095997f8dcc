/** Texts that regular expressions, lengths and JSON are easily wrong about. */
import fc from "fast-check";

const ODD = [
  "\0",
  "\n",
  "\r",
  "\t",
  "\v",
  "\u001f",
  "\u0085",
  "\u00a0",
  "\u2028",
  "\u2029",
  "\u180e",
  "\ufeff",
  "\u200d",
  "é",
  "e\u0301",
  "ß",
  "ſ",
  "K",
  "İ",
  "ı",
  "Σ",
  "ς",
  "𝟘",
  "٣",
  "😀",
  "🤦🏼‍♂️",
  "𐐷",
  "\uffff",
  "\ud7ff",
  "\ue000",
];
const PLAIN = [
  "a",
  "b",
  "B",
  "Z",
  "k",
  "K",
  "s",
  "S",
  "_",
  "0",
  "9",
  " ",
  "-",
  ".",
  "@",
  "'",
  '"',
  "\\",
  "/",
  "[",
  "]",
  "{",
  "}",
  ",",
  ":",
  "n",
  "$",
  "%",
];

const character = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...PLAIN) },
  { weight: 2, arbitrary: fc.constantFrom(...ODD) },
  { weight: 1, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 1 }) },
);

/** Any text that a table can hold. */
export const hostileText = fc.array(character, { maxLength: 7 }).map((parts) => parts.join(""));

const json = fc.oneof(
  fc.json(),
  fc.constantFrom(
    "NaN",
    "[NaN]",
    "-Infinity",
    "[1,]",
    '{"a":1,}',
    "[1,\n]",
    '"\\ud800"',
    '"\\x"',
    '"\\',
    '{"a\\":1}',
    "01",
    "1.",
    "-0",
    "1e999",
    "nul",
    "[]]",
    "\ufeff1",
    "1 ",
    "\u00a01",
    '"\t"',
    '{"nan":1}',
    '["inf",]',
    "'a'",
    '{"a":"b\\"c,]"}',
    "/**/1",
    '"\\u00g0"',
    '"a" "b"',
    '"""',
    "tru",
    "-",
    "[1 2]",
    "1,",
    '{"a"}',
    '[",]"]',
  ),
);

/** JSON, what some parsers take for it, and either with a character changed. */
export const nearlyJson = fc
  .tuple(json, fc.option(fc.tuple(fc.nat(), fc.constantFrom('"', "\\", ",", "]", "N", "\n", "\0", "", "u"))))
  .map(([text, change]) => {
    if (change === null) return text;
    const at = change[0] % (text.length + 1);
    return `${text.slice(0, at)}${change[1]}${text.slice(at + 1)}`;
  })
  .filter((text) => !/\p{Surrogate}/u.test(text));
