import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePartitionValue, encodePartitionValue } from "../../lakehouse/delta/skip/partition-value.ts";
import { compareValues, type Value } from "../../lakehouse/delta/skip/value.ts";

describe("partition values", () => {
  test.each([
    ["12", "integer", { kind: "decimal", unscaled: 12n, scale: 0 }],
    ["-9223372036854775808", "long", { kind: "decimal", unscaled: -(2n ** 63n), scale: 0 }],
    ["1.5", "decimal(4,2)", { kind: "decimal", unscaled: 150n, scale: 2 }],
    ["1E+2", "decimal(4,1)", { kind: "decimal", unscaled: 1000n, scale: 1 }],
    ["TRUE", "boolean", { kind: "boolean", value: true }],
    ["2024-02-29", "date", { kind: "time", micros: 1_709_164_800_000_000n }],
    ["0001-01-01", "date", { kind: "time", micros: -62_135_596_800_000_000n }],
    ["1970-01-01 00:00:01.5", "timestamp", { kind: "time", micros: 1_500_000n }],
    ["1970-01-01T00:00:00.000001Z", "timestamp", { kind: "time", micros: 1n }],
    ["1970-01-01T02:00:00+02:00", "timestamp", { kind: "time", micros: 0n }],
    ["1969-12-31 23:59:59.999999", "timestamp_ntz", { kind: "time", micros: -1n }],
    ["Infinity", "double", { kind: "float", value: Number.POSITIVE_INFINITY }],
    ["NaN", "float", { kind: "float", value: Number.NaN }],
    ["0.1", "float", { kind: "float", value: Math.fround(0.1) }],
    ["a b/=%", "string", { kind: "text", value: "a b/=%" }],
    ["\u0001\u00ff", "binary", { kind: "binary", value: Buffer.from([1, 255]) }],
  ])("%s is read as %s", (text, type, value) => {
    expect(decodePartitionValue(text, type)).toEqual(value);
  });

  test.each([
    ["300", "byte"],
    ["1.5", "integer"],
    ["123", "decimal(2,0)"],
    ["1.55", "decimal(4,1)"],
    ["2024-02-30", "date"],
    ["12345-01-01", "date"],
    ["1970-01-01 25:00:00", "timestamp"],
    ["yes", "boolean"],
    ["__HIVE_DEFAULT_PARTITION__", "string"],
    ["x", "struct"],
  ])("%s is no value of %s", (text, type) => {
    expect(decodePartitionValue(text, type)).toBeUndefined();
  });

  test("nothing and the empty text are null", () => {
    expect(decodePartitionValue(null, "long")).toBeNull();
    expect(decodePartitionValue("", "string")).toBeNull();
    expect(encodePartitionValue(null, "long")).toBeNull();
    expect(encodePartitionValue({ kind: "text", value: "" }, "string")).toBeNull();
  });

  test("what a type cannot hold is refused", () => {
    const refused = expect.objectContaining({ code: "DELTA_BAD_PARTITION_VALUE" });
    expect(() => encodePartitionValue({ kind: "decimal", unscaled: 128n, scale: 0 }, "byte")).toThrow(
      refused,
    );
    expect(() => encodePartitionValue({ kind: "text", value: "1" }, "long")).toThrow(refused);
    expect(() => encodePartitionValue({ kind: "time", micros: 1n }, "date")).toThrow(refused);
  });

  test("what is written is read back as the same value", () => {
    const values: fc.Arbitrary<readonly [Value, string]> = fc.oneof(
      fc
        .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
        .map((unscaled) => [{ kind: "decimal", unscaled, scale: 0 }, "long"] as const),
      fc
        .bigInt({ min: 1n - 10n ** 38n, max: 10n ** 38n - 1n })
        .map((unscaled) => [{ kind: "decimal", unscaled, scale: 20 }, "decimal(38,20)"] as const),
      fc.double().map((value) => [{ kind: "float", value }, "double"] as const),
      fc.float().map((value) => [{ kind: "float", value }, "float"] as const),
      fc
        .string({ unit: "grapheme", minLength: 1 })
        .map((value) => [{ kind: "text", value }, "string"] as const),
      fc
        .uint8Array({ minLength: 1 })
        .map((value) => [{ kind: "binary", value: Buffer.from(value) }, "binary"] as const),
      fc
        .tuple(
          fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n }),
          fc.constantFrom("timestamp", "timestamp_ntz"),
        )
        .map(([micros, type]) => [{ kind: "time", micros }, type] as const),
    );
    fc.assert(
      fc.property(values, ([value, type]) => {
        const decoded = decodePartitionValue(encodePartitionValue(value, type), type);
        expect(decoded && compareValues(decoded, value)).toBe(0);
      }),
      { numRuns: 500 },
    );
  });
});

test("texts are ordered as their UTF-8 bytes are", () => {
  const text = fc.string({
    unit: fc.constantFrom("a", "b", "é", "\uD7FF", "\uE000", "\uFFFD", "\u{10000}", "\u{10FFFF}"),
    maxLength: 4,
  });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const expected = Buffer.compare(Buffer.from(a), Buffer.from(b));
      expect(compareValues({ kind: "text", value: a }, { kind: "text", value: b })).toBe(expected);
    }),
    { numRuns: 500 },
  );
});
