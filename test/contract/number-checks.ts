/** Random checks of numbers and times, and their values as DuckDB reads them from text. */
import fc from "fast-check";
import { z } from "zod";
import type { Checked } from "./random-column.ts";

const bound = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.double(),
  fc.constantFrom(0.1, 2 ** 31, -(2 ** 53)),
);
const step = fc.constantFrom(1, 2, 0.1, 0.01, 0.07, 3, -2, 1e-7, 1e300, 5e-324);
export const numberCheck: fc.Arbitrary<Checked<z.ZodNumber>> = fc.oneof(
  bound.map((n): Checked<z.ZodNumber> => [`min ${n}`, (s) => s.min(n)]),
  bound.map((n): Checked<z.ZodNumber> => [`max ${n}`, (s) => s.max(n)]),
  bound.map((n): Checked<z.ZodNumber> => [`gt ${n}`, (s) => s.gt(n)]),
  bound.map((n): Checked<z.ZodNumber> => [`lt ${n}`, (s) => s.lt(n)]),
  step.map((n): Checked<z.ZodNumber> => [`multipleOf ${n}`, (s) => s.multipleOf(n)]),
  fc.constantFrom<Checked<z.ZodNumber>>(
    ["int", (s) => s.int()],
    ["safe", (s) => s.safe()],
    ["positive", (s) => s.positive()],
    ["refine", (s) => s.refine((n) => Math.abs(n) > 1)],
    ["literal", () => z.literal([0, 1, 0.5]) as unknown as z.ZodNumber],
    ["uint32", () => z.uint32()],
    ["float32", () => z.float32()],
  ),
);
export const doubles = fc.oneof(
  fc.double().map((n) => (Object.is(n, -0) ? "-0" : String(n))),
  fc.constantFrom(
    "NaN",
    "Infinity",
    "-Infinity",
    "-0",
    "0.3",
    "0.07",
    "2.03",
    "1e308",
    "5e-324",
    "9007199254740993",
    "1",
    "0.5",
  ),
  fc.integer({ min: -1000, max: 1000 }).map((n) => String(n / 100)),
);

const bigBound = fc.oneof(fc.bigInt({ min: -5n, max: 5n }), fc.bigInt({ min: -(2n ** 66n), max: 2n ** 66n }));
export const longCheck: fc.Arbitrary<Checked<z.ZodBigInt>> = fc.oneof(
  bigBound.map((n): Checked<z.ZodBigInt> => [`min ${n}`, (s) => s.min(n)]),
  bigBound.map((n): Checked<z.ZodBigInt> => [`max ${n}`, (s) => s.max(n)]),
  bigBound.map((n): Checked<z.ZodBigInt> => [`lt ${n}`, (s) => s.lt(n)]),
  fc
    .oneof(bigBound, fc.constantFrom(0n, 1n, -1n, 2n ** 63n, -3n))
    .map((n): Checked<z.ZodBigInt> => [`multipleOf ${n}`, (s) => s.multipleOf(n)]),
  fc.constantFrom<Checked<z.ZodBigInt>>(
    ["nonnegative", (s) => s.nonnegative()],
    ["uint64", () => z.uint64()],
    ["refine", (s) => s.refine((n) => n % 2n === 0n)],
    ["literal", () => z.literal([1n, -(2n ** 63n), 2n ** 70n]) as unknown as z.ZodBigInt],
  ),
);
export const longs = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -10n, max: 10n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, 9007199254740993n),
);
export const integers = fc.oneof(fc.integer(), fc.integer({ min: -10, max: 10 }));

const MOMENTS = [
  "1970-01-01T00:00:00.000Z",
  "1969-12-31T23:59:59.999Z",
  "2020-02-29T12:00:00.001Z",
  "+010000-01-01T00:00:00.000Z",
  "-000044-03-15T00:00:00.000Z",
];
const moment = fc.constantFrom(...MOMENTS).map((iso) => new Date(iso));
export const dateCheck: fc.Arbitrary<Checked<z.ZodDate>> = fc.oneof(
  moment.map((d): Checked<z.ZodDate> => [`min ${d.toISOString()}`, (s) => s.min(d)]),
  moment.map((d): Checked<z.ZodDate> => [`max ${d.toISOString()}`, (s) => s.max(d)]),
  moment.map((d): Checked<z.ZodDate> => [`gt ${d.toISOString()}`, (s) => s.check(z.gt(d))]),
  moment.map((d): Checked<z.ZodDate> => [`lt ${d.toISOString()}`, (s) => s.check(z.lt(d))]),
  fc.constant<Checked<z.ZodDate>>(["refine", (s) => s.refine((d) => d.getUTCMilliseconds() === 0)]),
);
export const instants = fc.oneof(
  fc.constantFrom(
    "1970-01-01 00:00:00+00",
    "1970-01-01 00:00:00.0009+00",
    "1969-12-31 23:59:59.999999+00",
    "1969-12-31 23:59:59.9985+00",
    "2020-02-29 12:00:00.001+00",
    "2020-02-29 12:00:00.001999+00",
    "infinity",
    "-infinity",
    "0045-03-15 (BC) 00:00:00+00",
    "10000-01-01 00:00:00+00",
    "275760-09-13 00:00:00+00",
    "275760-09-13 00:00:00.000001+00",
    "290000-01-01 (BC) 00:00:00+00",
    "294000-01-01 00:00:00+00",
  ),
  fc
    .date({ noInvalidDate: true, min: new Date("1960-01-01"), max: new Date("2030-01-01") })
    .map((d) => d.toISOString()),
);

export const days = fc.oneof(
  fc.constantFrom(
    "0001-01-01",
    "0044-03-15",
    "0001-01-01 (BC)",
    "9999-12-31",
    "10000-01-01",
    "infinity",
    "-infinity",
    "1969-12-31",
    "2020-01-01",
    "2020-01-02",
  ),
  fc
    .date({ noInvalidDate: true, min: new Date("0050-01-01"), max: new Date("9999-12-31") })
    .map((d) => d.toISOString().slice(0, 10)),
);

export const decimals = fc
  .tuple(fc.integer({ min: -99_999, max: 99_999 }), fc.integer({ min: 0, max: 3 }))
  .map(
    ([n, scale]) =>
      `${n < 0 ? "-" : ""}${Math.floor(Math.abs(n) / 1000)}.${String(Math.abs(n) % 1000)
        .padStart(3, "0")
        .slice(0, scale)}0`,
  );
