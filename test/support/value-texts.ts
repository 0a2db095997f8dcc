/** Texts that Postgres takes as values of its types, odd ones often among them. */
import fc from "fast-check";
import { serverMajor } from "./postgres.ts";

type Text = fc.Arbitrary<string>;

const int = (min: number, max: number): Text => fc.integer({ min, max }).map(String);
const big = (bits: bigint): Text => fc.bigInt({ min: -(2n ** bits), max: 2n ** bits - 1n }).map(String);
const padded = (max: number, digits: number): Text =>
  fc.integer({ min: 0, max }).map((n) => String(n).padStart(digits, "0"));
const joined = (...parts: (Text | string)[]): Text =>
  fc
    .tuple(...parts.map((part) => (typeof part === "string" ? fc.constant(part) : part)))
    .map((texts) => texts.join(""));
const odd = (usual: Text, ...rare: string[]): Text =>
  fc.oneof({ weight: 5, arbitrary: usual }, { weight: 1, arbitrary: fc.constantFrom(...rare) });

export const bool: Text = fc.constantFrom("t", "f");
export const int2 = odd(int(-32768, 32767), "-32768", "32767");
export const int4 = odd(int(-(2 ** 31), 2 ** 31 - 1), "-2147483648", "2147483647");
export const int8 = odd(big(63n), "-9223372036854775808", "9223372036854775807", "9007199254740993");
export const oid = odd(int(0, 2 ** 32 - 1), "4294967295");
const NOT_FINITE = ["NaN", "Infinity", "-Infinity"];
export const float8 = odd(
  fc.double({ noDefaultInfinity: true, noNaN: true }).map((n) => (Object.is(n, -0) ? "-0" : String(n))),
  ...NOT_FINITE,
  "-0",
  "5e-324",
  "1.7976931348623157e308",
  "0.1",
  "123456789012345678",
);
export const float4 = odd(
  fc.float({ noDefaultInfinity: true, noNaN: true }).map((n) => (Object.is(n, -0) ? "-0" : String(n))),
  ...NOT_FINITE,
  "-0",
  "1e-45",
  "3.4028235e38",
  "16777217",
  "0.1",
);

/** A numeric with so many digits before and after its point. */
export function decimal(whole: number, fraction: number): Text {
  const digits = (n: number) =>
    fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: n, maxLength: n });
  const sign = fc.constantFrom("", "-");
  const nines = `${"9".repeat(whole) || "0"}${fraction > 0 ? `.${"9".repeat(fraction)}` : ""}`;
  const usual = joined(
    sign,
    whole > 0 ? digits(whole) : "0",
    ...(fraction > 0 ? [".", digits(fraction)] : []),
  );
  return odd(usual, "0", "NaN", nines, `-${nines}`);
}
export const numeric = odd(
  decimal(60, 40),
  ...(serverMajor >= 14 ? NOT_FINITE : ["NaN"]),
  "1e131071",
  "1e-16000",
  "0.000",
  "-0.10",
);

/** Pieces that have a meaning somewhere between Postgres, CSV, JSON and an array's text. */
const PIECES = [
  ..."a,\"\\{}[]()<>'; \n\r\t:|&=é漢😀0\u00a0\u2028\ufeff",
  "NULL",
  "null",
  "\\.",
  '""',
  "\r\n",
  "\\N",
  "=>",
];
const piece = fc.constantFrom(...PIECES);
export const text = odd(
  fc.string({ unit: piece, maxLength: 12 }),
  "",
  " ",
  "NULL",
  "\\.",
  '"',
  "\\",
  "{}",
  "\n",
);
/** Text of at most so many characters. */
export const shortText = (length: number): Text => fc.string({ unit: "grapheme-ascii", maxLength: length });

const yearOf = (max: number) =>
  fc.oneof(
    { weight: 6, arbitrary: padded(9999, 4).map((year) => (year === "0000" ? "0001" : year)) },
    { weight: 1, arbitrary: int(10_000, max) },
  );
const day = (max: number) =>
  joined(yearOf(max), fc.constantFrom("-01-01", "-12-31", "-02-28", "-07-14", "-10-05"));
// 4,713 years before Christ is where Postgres begins.
const early = fc.constantFrom("4713-01-01 BC", "0044-03-15 BC", "0001-12-31 BC");
const INFINITE = ["infinity", "-infinity"];
export const date = odd(
  fc.oneof({ weight: 8, arbitrary: day(5_874_897) }, early),
  ...INFINITE,
  "0001-01-01",
  "9999-12-31",
);
export const time = odd(
  joined(
    padded(23, 2),
    ":",
    padded(59, 2),
    ":",
    padded(59, 2),
    fc.constantFrom("", ".5", ".123456", ".000001"),
  ),
  "24:00:00",
  "00:00:00",
);
export const timetz = joined(time, fc.constantFrom("+00", "+05:30", "-15:59", "+15:59:59"));
const moment = joined(
  fc.oneof(
    { weight: 8, arbitrary: joined(day(294_275), " ", time) },
    fc.constant("0044-03-15 12:00:00.000001"),
  ),
);
export const timestamp = odd(
  fc.oneof(
    { weight: 8, arbitrary: moment },
    joined(fc.constantFrom("4713-01-01", "0001-12-31"), " 10:00:00", " BC"),
  ),
  ...INFINITE,
  "0001-01-01 00:00:00",
  "9999-12-31 23:59:59.999999",
  "9999-12-31 24:00:00",
);
export const timestamptz = timestamp.map((at) => (/\d$/.test(at) ? `${at}+00` : at.replace(" BC", "+00 BC")));
export const interval = odd(
  joined(int(-9999, 9999), " years ", int(-400, 400), " days ", int(-99999, 99999), ".000001 seconds"),
  "0",
  ...(serverMajor >= 17 ? INFINITE : []),
  "178000000 years",
  "-1 mon +1 day -00:00:00.5",
);
export const uuid: Text = fc.uuid();
export const hex: Text = fc
  .uint8Array({ maxLength: 40 })
  .map((bytes) => `\\x${Buffer.from(bytes).toString("hex")}`);
export const bits = (length: number): Text =>
  fc.string({ unit: fc.constantFrom("0", "1"), minLength: length, maxLength: length });
export const bitsUpTo = (length: number): Text =>
  fc.string({ unit: fc.constantFrom("0", "1"), maxLength: length });
export const json: Text = fc.oneof(
  // Postgres takes no NUL in JSON, and no halves of surrogate pairs.
  fc
    .dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.array(text)))
    .map((value) => JSON.stringify(value)),
  fc.constantFrom('{"a": 1, "a":  2}', "1e400", '"\\u00e9"', " [ 1 ,2 ] ", "null", '"x\\ny"'),
);
export const inet = odd(
  joined(int(0, 255), ".", int(0, 255), ".", int(0, 255), ".1/", int(0, 32)),
  "::1",
  "2001:db8::1/64",
  "0.0.0.0/0",
);
export const point = joined("(", float8, ",", float8, ")");

/** `{…}` of such elements, NULL among them; sometimes of two dimensions, or with bounds of its own. */
export function arrayOf(element: Text): Text {
  const quoted = element.map((value) => `"${value.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`);
  const item = fc.oneof({ weight: 6, arbitrary: quoted }, { weight: 1, arbitrary: fc.constant("NULL") });
  const flat = fc.array(item, { maxLength: 6 }).map((items) => `{${items.join(",")}}`);
  const nested = fc.tuple(item, item, item, item).map(([a, b, c, d]) => `{{${a},${b}},{${c},${d}}}`);
  const bounded = fc.tuple(item, item).map(([a, b]) => `[0:1]={${a},${b}}`);
  return fc.oneof(
    { weight: 12, arbitrary: flat },
    { weight: 1, arbitrary: nested },
    { weight: 1, arbitrary: bounded },
  );
}
