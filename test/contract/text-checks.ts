/** Random checks of texts. */
import fc from "fast-check";
import { z } from "zod";
import { hostileText } from "./hostile-texts.ts";
import type { Checked } from "./random-column.ts";

const length = fc.integer({ min: 0, max: 6 });
/** Checks of texts. */
export const textCheck: fc.Arbitrary<Checked<z.ZodString>> = fc.oneof(
  length.map((n): Checked<z.ZodString> => [`min ${n}`, (s) => s.min(n)]),
  length.map((n): Checked<z.ZodString> => [`max ${n}`, (s) => s.max(n)]),
  length.map((n): Checked<z.ZodString> => [`length ${n}`, (s) => s.length(n)]),
  hostileText.map(
    (t): Checked<z.ZodString> => [`starts ${JSON.stringify(t)}`, (s) => s.startsWith(t.slice(0, 1))],
  ),
  hostileText.map((t): Checked<z.ZodString> => [`ends ${JSON.stringify(t)}`, (s) => s.endsWith(t.slice(-1))]),
  hostileText.map(
    (t): Checked<z.ZodString> => [`includes ${JSON.stringify(t)}`, (s) => s.includes(t.slice(0, 1))],
  ),
  fc
    .constantFrom(
      /^[a-zA-Z]*$/,
      /\s/,
      /^.{0,3}$/,
      /^[^@]+@.+$/,
      /k/i,
      /\bs/,
      /^\S*$/u,
      /(.)\1/,
      /^\D.*$/,
      /[^a]\B/,
    )
    .map((r): Checked<z.ZodString> => [String(r), (s) => s.regex(r)]),
  fc.constantFrom<Checked<z.ZodString>>(
    ["lowercase", (s) => s.lowercase()],
    ["uppercase", (s) => s.uppercase()],
    ["email", (s) => s.check(z.email())],
    ["includes at 2", (s) => s.includes("a", { position: 2 })],
    ["refine", (s) => s.refine((t) => t.length % 2 === 0)],
    ["superRefine", (s) => s.superRefine((t, c) => (t.includes("b") ? c.addIssue("no b") : undefined))],
    ["property", (s) => s.check(z.property("length", z.number().max(3)))],
    ["min abort, refine", (s) => s.min(1, { abort: true }).refine((t) => t.charCodeAt(0) < 256)],
    [
      "when",
      (s) => s.check(z.refine((t: string) => t < "k", { when: ({ value }) => String(value).length > 2 })),
    ],
  ),
);

/** Texts that a format is about. */
export const near = fc.constantFrom(
  "a@b.co",
  "a@b.co ",
  "A.b@c-d.org",
  "https://a.b",
  " https://a.b ",
  "http://[::1]/",
  "ftp:",
  "1.2.3.4",
  "::1",
  "2024-02-29",
  "2024-02-29T10:00:00Z",
  "0190163d-8694-739b-aea5-966c26f8ad90",
  "YQ==",
  "YQ",
  "YWI=",
  "====",
  "+4912345678",
  "P1D",
  "00:00",
  "deadbeef",
  "😀",
  "4111111111111111",
  "DE89370400440532013000",
  "01ARZ3NDEKTSV4RRFFQ69G5FAV",
  "a",
  "10.0.0.0/8",
);
const FORMATS: readonly (() => z.ZodType<string>)[] = [
  z.email,
  z.url,
  z.uuid,
  z.guid,
  z.ulid,
  z.nanoid,
  z.cuid2,
  z.ipv4,
  z.ipv6,
  z.cidrv4,
  z.base64,
  z.base64url,
  z.e164,
  z.emoji,
  z.jwt,
  z.iban,
  z.iso.datetime,
  z.iso.date,
  z.iso.time,
  z.iso.duration,
  z.hostname,
  z.hex,
  () => z.url().max(12),
  () => z.enum(["a", "b'", "😀"]),
  () => z.literal(["a", ""]),
  () => z.union([z.literal("a"), z.string().min(5)]),
  () => z.union([z.email(), z.url()]),
  () => z.string().min(1).readonly(),
  () => z.templateLiteral(["a", z.string()]),
  () => z.custom<string>((t) => typeof t === "string" && t !== "a"),
  () => z.literal("a\0b"),
  () => z.email({ pattern: z.regexes.html5Email }),
];
/** Formats, and schemas that take the place of a text's. */
export const formats: fc.Arbitrary<Checked<z.ZodString>> = fc
  .nat({ max: FORMATS.length - 1 })
  .map((i) => [`format ${FORMATS[i]}`, () => FORMATS[i]?.() as z.ZodString]);
