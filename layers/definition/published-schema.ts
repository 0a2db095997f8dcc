/** What a published metric of a configuration must be. */
import { z } from "zod";

const column = z.string().min(1, "a column of the model");
const value = z.union([z.string(), z.number(), z.bigint(), z.boolean()], "a text, number or boolean");
const condition = z.union(
  [
    value,
    z
      .strictObject({
        eq: value.optional(),
        ne: value.optional(),
        gt: value.optional(),
        gte: value.optional(),
        lt: value.optional(),
        lte: value.optional(),
        in: z.array(value).optional(),
        isNull: z.boolean().optional(),
      })
      .refine((conditions) => Object.keys(conditions).length > 0, "at least one condition"),
  ],
  "a value, or conditions such as { gte: 10 }",
);

const form = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("list") }),
  z.strictObject({ kind: z.literal("scalar"), value: column }),
  z
    .strictObject({ kind: z.literal("hash"), field: column.optional(), value: column.optional() })
    .refine(
      (hash) => (hash.field === undefined) === (hash.value === undefined),
      "both field and value, or none",
    ),
  z.strictObject({ kind: z.literal("ranking"), member: column, score: column }),
  z.strictObject({ kind: z.literal("series"), time: column }),
  z.strictObject({
    kind: z.literal("lookup"),
    by: z.array(column).min(1, "at least one column").optional(),
  }),
]);

const metric = z
  .strictObject({
    model: z.string(),
    title: z.string(),
    name: z
      .string()
      .regex(/^[a-z][a-z0-9_]*$/, "lower case letters, digits and _, beginning with a letter")
      .optional(),
    as: form.optional(),
    key: z
      .string()
      .regex(/^[^\s{}*?[\]\\]+$/, "a text without spaces, braces and signs of patterns, such as shop:top")
      .optional(),
    expiresAfter: z.number().positive("seconds, more than 0").optional(),
    where: z.record(z.string(), condition).optional(),
    columns: z.array(column).min(1, "at least one column").optional(),
    orderBy: z.array(column).min(1, "at least one column").optional(),
    limit: z.int().positive("a whole number, at least 1").optional(),
    sql: z.string().min(1, "one SELECT").optional(),
    to: z.array(z.string().min(1)).min(1, "at least one target").optional(),
    chart: z
      .strictObject({
        kind: z.enum(["bars", "line"], '"bars" or "line"'),
        label: z.string(),
        value: z.string(),
      })
      .optional(),
  })
  .refine(({ sql, where, columns }) => sql === undefined || (where ?? columns) === undefined, {
    path: ["sql"],
    message: "no SQL where `where` or `columns` are given",
  });

/** All that a pipeline publishes. */
export const publishedSchema = z.array(metric).superRefine((metrics, context) => {
  const refuseRepeated = (key: "name" | "key", names: readonly (string | undefined)[]) => {
    const again = names.findIndex((name, i) => name !== undefined && names.indexOf(name) < i);
    if (again < 0) return;
    const message = `a ${key} that no other publication has: ${names[again]} is taken`;
    context.addIssue({ code: "custom", path: [again, key], message });
  };
  refuseRepeated(
    "name",
    metrics.map(({ model, name }) => name ?? model),
  );
  refuseRepeated(
    "key",
    metrics.map(({ key }) => key),
  );
});
