/** What zod can do and a contract may not: change values, or say again what the column says. */
import type { z } from "zod";

const CHANGES = "a contract checks values and changes none; do it in the model's SQL";
const REFUSED: Readonly<Record<string, string>> = {
  transform: `a transform: ${CHANGES}`,
  pipe: `a pipe, codec or preprocess: ${CHANGES}`,
  default: "zod's default(): say .default(value) on the column",
  prefault: "zod's prefault(): say .default(value) on the column",
  catch: `zod's catch(): ${CHANGES}`,
  nullable: "zod's nullable(): say .nullable() on the column",
  optional: "zod's optional(): a column is always there; say .nullable() on the column",
  promise: "a promise: values of a table are there at once",
};

/** What is refused in a schema or its parts, and what to do instead; undefined where nothing is. */
export function refusedIn(schema: z.core.$ZodType, isNested = false): string | undefined {
  const { def } = (schema as z.core.$ZodTypes)._zod;
  // Nullable elements and fields are columns of their own, written so by their builders.
  const own = def.type === "nullable" && isNested ? undefined : REFUSED[def.type];
  if (own !== undefined) return own;
  if ("coerce" in def && def.coerce === true) return `coercion: ${CHANGES}`;
  for (const check of def.checks ?? []) {
    if (check._zod.def.check === "overwrite") {
      return `${overwriteName((check as z.core.$ZodCheckOverwrite)._zod.def)}: ${CHANGES}`;
    }
  }
  if (def.type !== "nullable" && takesNull(schema)) {
    return "a schema that takes null: say .nullable() on the column, and nothing of null in its checks";
  }
  for (const part of partsOf(schema as z.core.$ZodTypes)) {
    const refused = refusedIn(part, true);
    if (refused !== undefined) return refused;
  }
  return undefined;
}

function takesNull(schema: z.core.$ZodType): boolean {
  try {
    const result = schema._zod.run({ value: null, issues: [] }, { async: false });
    return !(result instanceof Promise) && result.issues.length === 0;
  } catch {
    return false;
  }
}

function partsOf(schema: z.core.$ZodTypes): readonly z.core.$ZodType[] {
  const { def } = schema._zod;
  switch (def.type) {
    case "array":
      return [def.element];
    case "object":
      return Object.values(def.shape);
    case "union":
      return def.options;
    case "intersection":
      return [def.left, def.right];
    case "nullable":
    case "readonly":
      return [def.innerType];
    default:
      return [];
  }
}

/** zod does not keep the name; what it does to a text tells it. */
function overwriteName({ tx }: z.core.$ZodCheckOverwriteDef): string {
  let changed: unknown;
  try {
    changed = tx(" aA ");
  } catch {
    return "overwrite()";
  }
  const names = new Map<unknown, string>([
    ["aA", "trim()"],
    [" aa ", "toLowerCase()"],
    [" AA ", "toUpperCase()"],
    [" aA ", "normalize()"],
  ]);
  return names.get(changed) ?? "overwrite()";
}
