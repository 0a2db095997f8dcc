import fc from "fast-check";
import { expect, test } from "vitest";
import { numberText, parseLossless, stringifyLossless } from "../../lakehouse/delta/skip/lossless-json.ts";

test("long numbers keep their digits, in and out of strings", () => {
  const parsed = parseLossless(
    '{"a":[9223372036854775807,-0.12345678901234567890],"b":"\\"1234567890123456789","c":1.5}',
  );
  const { a, b, c } = parsed as { a: unknown[]; b: unknown; c: unknown };
  expect(a.map(numberText)).toEqual(["9223372036854775807", "-0.12345678901234567890"]);
  expect(b).toBe('"1234567890123456789');
  expect(numberText(c)).toBe("1.5");
});

test("what is no JSON throws, short or long", () => {
  expect(() => parseLossless("{")).toThrow(SyntaxError);
  expect(() => parseLossless('{"a":1234567890123456789')).toThrow(SyntaxError);
});

test("other JSON is as JSON.parse reads it, beside a long number", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3, noUnicodeString: false }), (value) => {
      const text = JSON.stringify([value, "x"]);
      const long = parseLossless(`[${text},12345678901234567890]`) as unknown[];
      const digits = (v: unknown): unknown => {
        const number = numberText(v);
        if (number !== undefined) return Number(number);
        if (Array.isArray(v)) return v.map(digits);
        if (typeof v !== "object" || v === null) return v;
        return Object.fromEntries(Object.entries(v).map(([key, inner]) => [key, digits(inner)]));
      };
      expect(digits(long[0])).toEqual(digits(JSON.parse(text)));
    }),
  );
});

test("is written again with every digit", () => {
  const text =
    '{"numRecords":3,"maxValues":{"a":9223372036854775807,"b":-0.12345678901234567890,"c\\"d":"1e5"},"x":[null,true]}';
  expect(stringifyLossless(parseLossless(text))).toBe(text);
});
