/** Random columns and values of all Delta types, their extremes among them. */
import fc from "fast-check";
import { duckdbType } from "../../lakehouse/delta/schema.ts";
import { literal } from "../../lakehouse/duckdb/quote.ts";

/** A column of a random table; `path` goes into a struct where it has two names. */
export interface Column {
  readonly path: readonly string[];
  readonly type: string;
}

const TYPES = [
  "byte",
  "short",
  "integer",
  "long",
  "float",
  "double",
  "boolean",
  "string",
  "date",
  "timestamp",
];
export const TEXTS = [
  "",
  "a",
  "ab",
  "abc",
  "abd",
  "b",
  "\u{1F600}",
  "\uFFFD",
  "a\u{10FFFF}",
  "aé",
  "a%",
  "a_b",
  "A",
  "~~",
  "x".repeat(40),
];
const decimalType = fc
  .tuple(fc.constantFrom(1, 4, 9, 18, 19, 38), fc.nat(38))
  .map(([precision, scale]) => `decimal(${precision},${scale % (precision + 1)})`);
/** The name of a primitive type. */
export const typeName = fc.oneof(fc.constantFrom(...TYPES, "timestamp_ntz"), decimalType);

const nearby = fc.integer({ min: -3, max: 3 }).map(String);
const bits: Readonly<Record<string, bigint>> = { byte: 7n, short: 15n, integer: 31n, long: 63n };
const instants = fc.oneof(
  fc.constantFrom(0, 1, 999, 1000, 1001, 999_999, -1, -999, -1000, 86_400_000_000, -62_135_596_800_000_000),
  fc.integer({ min: -3000, max: 3000 }),
);

/** SQL for a value of a type. */
export function valueSql(type: string): fc.Arbitrary<string> {
  const cast = (arbitrary: fc.Arbitrary<string>) =>
    arbitrary.map((v) => `${literal(v)}::${duckdbType(type)}`);
  const width = bits[type];
  if (width !== undefined) {
    const extremes = [2n ** width - 1n, -(2n ** width), 2n ** width - 2n].map(String);
    return cast(fc.oneof(nearby, fc.constantFrom(...extremes)));
  }
  switch (type) {
    case "float":
    case "double":
      return cast(
        fc
          .oneof(
            nearby,
            fc.constantFrom(
              "nan",
              "nan",
              "inf",
              "-inf",
              "0.1",
              "-0.0",
              "0.1",
              "0.5",
              "1e-300",
              "16777216",
              "9007199254740993",
              "1e20",
            ),
          )
          .map((v) => (type === "float" && v === "1e-300" ? "1e-30" : v)),
      );
    case "boolean":
      return cast(fc.constantFrom("true", "false"));
    case "string":
      return fc.constantFrom(...TEXTS).map(literal);
    case "date":
      return cast(
        fc.constantFrom("1970-01-01", "1970-01-02", "1969-12-31", "0001-01-01", "9999-12-31", "infinity"),
      );
    case "timestamp":
    case "timestamp_ntz":
      return instants.map((micros) => `make_timestamp(${micros})::${duckdbType(type)}`);
    default:
      return decimalOf(type);
  }
}

function decimalOf(type: string): fc.Arbitrary<string> {
  const [precision = 1, scale = 0] = (type.match(/\d+/g) ?? []).map(Number);
  const text = (unscaled: bigint) => {
    const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
    const point = digits.length - scale;
    return `'${unscaled < 0n ? "-" : ""}${digits.slice(0, point)}.${digits.slice(point)}0'::${duckdbType(type)}`;
  };
  const most = 10n ** BigInt(precision) - 1n;
  return fc.oneof(
    fc.constantFrom(most, -most, most - 1n).map(text),
    fc.integer({ min: -3, max: 3 }).map((n) => text(BigInt(n))),
  );
}
