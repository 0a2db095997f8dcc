/** What an audit of a configuration must be. */
import { z } from "zod";

const column = z.string().min(1, "a column of the model");
const count = z.int().nonnegative("a whole number, 0 or more");

const check = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("notNull"), column }),
  z.strictObject({ kind: z.literal("unique"), columns: z.array(column).min(1, "one column or more") }),
  z.strictObject({
    kind: z.literal("references"),
    column,
    table: z
      .string()
      .regex(/^(bronze|silver|gold)\.[^/\\]+$/, "a table with its layer, such as silver.users"),
    to: z.string().min(1, "a column of the table"),
  }),
  z.strictObject({
    kind: z.literal("acceptedValues"),
    column,
    values: z
      .array(z.union([z.string(), z.number(), z.bigint(), z.boolean()], "texts, numbers or booleans"))
      .min(1, "one value or more"),
  }),
  z
    .strictObject({
      kind: z.literal("rowCount"),
      min: count.optional(),
      max: count.optional(),
      changeAtMost: z.number().positive("a part of the rows, more than 0; 0.5 is half of them").optional(),
    })
    .refine(
      ({ min, max, changeAtMost }) => [min, max, changeAtMost].some((limit) => limit !== undefined),
      "one of min, max and changeAtMost",
    )
    .refine(({ min = 0, max = Number.POSITIVE_INFINITY }) => min <= max, "a min that is not above max"),
  z.strictObject({
    kind: z.literal("freshness"),
    column,
    within: z.number().positive("minutes, more than 0"),
  }),
  z.strictObject({ kind: z.literal("sql"), sql: z.string().min(1, "one SELECT statement") }),
]);

/** The audits of one model. */
export const auditsSchema = z
  .array(
    z.strictObject({
      name: z.string().min(1, "a name"),
      check,
      severity: z.enum(["error", "warn"], '"error" or "warn"'),
    }),
  )
  .superRefine((audits, context) => {
    const names = audits.map(({ name }) => name);
    const again = names.findIndex((name, i) => names.indexOf(name) < i);
    if (again < 0) return;
    const message = `a name that no other audit of the model has: ${names[again]} is taken`;
    context.addIssue({ code: "custom", path: [again, "name"], message });
  });
