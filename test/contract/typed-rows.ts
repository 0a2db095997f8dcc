/** Random contracts of one column, and values of its type as DuckDB reads them from text. */
import fc from "fast-check";
import type { z } from "zod";
import type { Column } from "../../schemas/column.ts";
import {
  array,
  boolean,
  date,
  decimal,
  double,
  integer,
  json,
  long,
  oneOf,
  struct,
  text,
  timestamp,
} from "../../schemas/index.ts";
import { hostileText, nearlyJson } from "./hostile-texts.ts";
import {
  dateCheck,
  days,
  decimals,
  doubles,
  instants,
  integers,
  longCheck,
  longs,
  numberCheck,
} from "./number-checks.ts";
import { type Case, type Checked, cases } from "./random-column.ts";
import { formats, near, textCheck } from "./text-checks.ts";

const none = <S>() => fc.constantFrom<Checked<S>>(["nothing", (s) => s]);
/** Texts within others lose a byte order mark at their beginning on the way to JavaScript. */
const nestedText = hostileText.filter((t) => !t.startsWith("\ufeff"));
const list = (item: fc.Arbitrary<unknown>) =>
  fc.array(fc.option(item, { freq: 8 }), { maxLength: 4 }).map((items) => JSON.stringify(items));

/** Contracts of one column with values of its type. */
export const typedCase: fc.Arbitrary<Case> = fc.oneof(
  { weight: 6, arbitrary: cases(text(), textCheck, hostileText) },
  { weight: 4, arbitrary: cases(text(), formats, fc.oneof(near, hostileText)) },
  { weight: 2, arbitrary: cases(json(), textCheck as never, nearlyJson) },
  {
    weight: 1,
    arbitrary: cases(oneOf("a", "b", ""), none(), fc.oneof(fc.constantFrom("a", "b", ""), hostileText)),
  },
  { weight: 4, arbitrary: cases(double(), numberCheck, doubles) },
  { weight: 3, arbitrary: cases(integer() as Column<z.ZodNumber, false>, numberCheck, integers.map(String)) },
  { weight: 3, arbitrary: cases(long() as Column<z.ZodBigInt, false>, longCheck, longs.map(String)) },
  {
    weight: 1,
    arbitrary: cases(
      boolean().check((s) => s.refine((b) => b)),
      none(),
      fc.constantFrom("true", "false"),
    ),
  },
  { weight: 3, arbitrary: cases(timestamp(), dateCheck, instants) },
  { weight: 1, arbitrary: cases(date().min("1969-12-31").lt("2020-01-02"), none(), days) },
  { weight: 1, arbitrary: cases(date(), textCheck as never, days) },
  { weight: 1, arbitrary: cases(decimal(12, 3).gt("-1.5").max("0"), none(), decimals) },
  { weight: 1, arbitrary: cases(decimal(12, 3), textCheck as never, decimals) },
  { weight: 1, arbitrary: cases(decimal(2, 2), none(), fc.constantFrom("0.99", "-0.05", "0", "-0.99")) },
  {
    weight: 2,
    arbitrary: cases(
      array(text().check((s) => s.min(1).regex(/^[^b]*$/))).check((a) => a.min(1).max(3)),
      none(),
      list(nestedText),
    ),
  },
  {
    weight: 1,
    arbitrary: cases(
      array(array(long().check((n) => n.min(0n))).nullable()),
      none(),
      list(fc.array(fc.integer())),
    ),
  },
  {
    weight: 1,
    arbitrary: cases(
      array(double().nullable()),
      none(),
      list(fc.double({ noNaN: true, noDefaultInfinity: true })),
    ),
  },
  {
    weight: 2,
    arbitrary: cases(
      struct({
        city: text().check((s) => s.max(3)),
        "odd 'name": integer().nullable(),
        at: timestamp()
          .check((d) => d.min(new Date(0)))
          .nullable(),
        tags: array(text().check((s) => s.refine((t) => t !== "b"))).nullable(),
      }),
      none(),
      fc
        .record(
          {
            city: fc.option(nestedText, { freq: 8 }),
            "odd 'name": integers,
            at: fc.constantFrom("1970-01-01 00:00:00Z", "1969-12-31 23:59:59Z"),
            tags: fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 3 }),
          },
          { requiredKeys: ["city"] },
        )
        .map((value) => JSON.stringify(value)),
    ),
  },
);
