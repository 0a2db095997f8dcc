/** Columns with random checks, and values for them. */
import fc from "fast-check";
import type { z } from "zod";
import type { Column } from "../../schemas/column.ts";

export interface Case {
  readonly column: Column;
  /** What was asked for, to be told when it fails. */
  readonly name: string;
  /** As JSON of texts where they are nested. */
  readonly values: readonly (string | null)[];
}

export type Checked<S> = readonly [name: string, add: (schema: S) => S];

export function cases<C extends Column>(
  column: C,
  checks: fc.Arbitrary<Checked<C["value"]>>,
  values: fc.Arbitrary<string | null>,
): fc.Arbitrary<Case> {
  return fc
    .tuple(
      fc.array(checks, { maxLength: 3 }),
      fc.boolean(),
      fc.array(fc.option(values, { freq: 12 }), { minLength: 5, maxLength: 30 }),
    )
    .map(([chosen, isNullable, list]) => {
      const checked = chosen.reduce<Column>((made, [, add]) => made.check((s) => added(s, add)), column);
      const name = `${JSON.stringify(column.type)} ${chosen.map(([check]) => check).join(" ")}`;
      return { column: isNullable ? checked.nullable() : checked, name, values: list };
    });
}

/** The schema with the check; as it is where an earlier one has put a schema there that does not have it. */
function added<S extends z.ZodType>(schema: S, add: (schema: S) => S): S {
  try {
    return add(schema);
  } catch (error) {
    if (error instanceof TypeError) return schema;
    throw error;
  }
}
