/** Regular expressions of JavaScript say the same in DuckDB. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { literal } from "../../lakehouse/duckdb/quote.ts";
import { BEYOND_UNITS, toRe2 } from "../../layers/contract/regex/re2.ts";
import { useDuckDb } from "../support/duckdb.ts";
import { hostileText } from "./hostile-texts.ts";

const duckdb = await useDuckDb();

async function search(
  pattern: string,
  texts: readonly string[],
): Promise<{ found: boolean; beyond: boolean }[]> {
  const rows = await duckdb.rows(
    `SELECT regexp_matches(t, ${literal(pattern)}) AS found, regexp_matches(t, '${BEYOND_UNITS}') AS beyond
     FROM (SELECT unnest(from_json($1, '["VARCHAR"]')) AS t, generate_subscripts(from_json($1, '["VARCHAR"]'), 1) AS i)
     ORDER BY i`,
    [JSON.stringify(texts)],
  );
  return rows.map(({ found, beyond }) => ({ found: found === true, beyond: beyond === true }));
}

/** Compares all texts; gives whether the expression was translated. */
async function compare(regex: RegExp, texts: readonly string[]): Promise<"exact" | "partly" | "not"> {
  const re2 = toRe2(regex);
  if (re2 === undefined) return "not";
  for (const [i, { found, beyond }] of (await search(re2.text, texts)).entries()) {
    if (beyond && !re2.isExact) continue;
    const text = texts[i] ?? "";
    regex.lastIndex = 0;
    expect(`${regex} on ${JSON.stringify(text)}: ${found}`).toBe(
      `${regex} on ${JSON.stringify(text)}: ${regex.test(text)}`,
    );
  }
  return re2.isExact ? "exact" : "partly";
}

const atom = fc.constantFrom(
  "a",
  "b",
  "K",
  "é",
  "ſ",
  "\\.",
  "\\\\",
  "\\/",
  "\\n",
  "\\x41",
  "\\u00e9",
  "\\0",
  ".",
  "\\d",
  "\\D",
  "\\w",
  "\\W",
  "\\s",
  "\\S",
  "[a-z]",
  "[^a-z]",
  "[A-Za-z0-9_-]",
  "[^\\s@]",
  "[\\s\\S]",
  "[]",
  "[^]",
  "[\\]^]",
  "[k-s]",
  "[\\u2000-\\u2fff]",
  "-",
  "@",
  "]",
  "}",
);
const quantifier = fc.constantFrom(
  "",
  "",
  "",
  "*",
  "+",
  "?",
  "{2}",
  "{1,}",
  "{0,2}",
  "{2,3}",
  "*?",
  "+?",
  "{0}",
);
const pattern = fc.letrec<{ either: string; sequence: string; item: string }>((tie) => ({
  either: fc.oneof(
    { maxDepth: 3 },
    tie("sequence"),
    fc.tuple(tie("sequence"), tie("sequence")).map((s) => s.join("|")),
  ),
  sequence: fc.array(tie("item"), { maxLength: 4 }).map((items) => items.join("")),
  item: fc.oneof(
    { maxDepth: 3, depthSize: "small" },
    { weight: 6, arbitrary: fc.tuple(atom, quantifier).map((parts) => parts.join("")) },
    { weight: 1, arbitrary: fc.constantFrom("^", "$", "\\b") },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom("(", "(?:"), tie("either"), quantifier)
        .map(([open, inner, times]) => `${open}${inner})${times}`),
    },
  ),
})).either;

const regex = fc
  .tuple(
    pattern,
    fc.constantFrom("", "", "i", "u", "s", "su", "g"),
    fc.constantFrom("^", ""),
    fc.constantFrom("$", ""),
  )
  .map(([source, flags, start, end]) => {
    try {
      return new RegExp(start === "" ? source : `^(?:${source})${end}`, flags);
    } catch {
      return undefined;
    }
  })
  .filter((made) => made !== undefined);

test("a translated expression finds what it finds in JavaScript", async () => {
  await fc.assert(
    fc.asyncProperty(regex, fc.array(hostileText, { minLength: 20, maxLength: 40 }), async (made, texts) => {
      await compare(made, texts);
    }),
    { numRuns: 400 },
  );
});

test("the expressions that people write are translated exactly", async () => {
  const usual = [
    /^[A-Z]{2}$/,
    /^\d{5}(-\d{4})?$/,
    /^[a-z0-9]+(?:-[a-z0-9]+)*$/,
    /^\+?[1-9]\d{1,14}$/,
    /^#[0-9a-f]{6}$/i,
    /^SKU-\d+$/,
    /^.*$/s,
    /^(?<year>\d{4})-Q[1-4]$/,
    /^[^@]*$/,
    /\S/u,
    /^.{1,5}$/u,
    z.regexes.email,
    z.regexes.uuid(),
    z.regexes.ulid,
    z.regexes.date,
    z.regexes.ipv4,
    z.regexes.lowercase,
    z.regexes.base64,
  ];
  const texts = [...fc.sample(hostileText, { numRuns: 200, seed: 7 }), ...NEAR];
  for (const each of usual) expect(`${each}: ${await compare(each, texts)}`).toBe(`${each}: exact`);
});

const NEAR = [
  "DE",
  "DE\n",
  "de",
  "12345-6789",
  "a-b",
  "+4912345678",
  "#FFaa00",
  "#ffaa0",
  "SKU-1",
  "2026-Q4",
  "a@b.co",
  "a@b.co\n",
  "a..b@c.de",
  "0190163d-8694-739b-aea5-966c26f8ad90",
  "ffffffff-ffff-ffff-ffff-ffffffffffff",
  "2024-02-29",
  "2023-02-29",
  "1.2.3.255",
  "1.2.3.256",
  "01ARZ3NDEKTSV4RRFFQ69G5FAV",
  "YQ==",
  "YQ=",
  "",
];

test("what RE2 does not have, or means otherwise, is not translated", () => {
  const foreign = [
    /(a)\1/,
    /(?=a)/,
    /(?!a)b/,
    /(?<=a)b/,
    /a/y,
    /^a$/m,
    /\p{L}/u,
    /é/i,
    /[à-ü]/i,
    /k/iu,
    /a{1001}/,
    /(?:a{100}){11}/,
    /😀/,
    /[\ud800-\udbff]/,
    /\ud83d\ude00/u,
    /\cA/,
    /\B/,
  ];
  expect(foreign.filter((each) => toRe2(each) !== undefined)).toEqual([]);
});
