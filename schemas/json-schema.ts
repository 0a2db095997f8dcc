/** A contract for those who do not speak TypeScript: JSON Schema (draft 2020-12) of a row in JSON. */
import { z } from "zod";
import { knownMeaning } from "./known-check.ts";
import { decimalPattern } from "./ordered-column.ts";
import type { AnyContract } from "./table.ts";

type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * The schema of a row as JSON: 64-bit integers are integers there, decimals texts, instants texts of ISO 8601. What
 * JSON Schema has no word for (checks in SQL or TypeScript) is left out: it allows what the contract allows, and
 * perhaps more.
 */
export function jsonSchemaOf(contract: AnyContract): JsonSchema {
  const shape = Object.fromEntries(Object.entries(contract.columns).map(([name, c]) => [name, c.zod]));
  const schema = z.toJSONSchema(z.object(shape), { unrepresentable: "any", override });
  for (const [name, column] of Object.entries(contract.columns)) {
    const property = schema.properties?.[name];
    if (typeof property !== "object") continue;
    if (column.description !== undefined) property.description = column.description;
    if (column.defaultValue !== undefined)
      property.default = inJson(column.defaultValue) as JsonSchema["default"];
  }
  return { ...schema, title: contract.name, description: contract.description };
}

function override({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: JsonSchema }): void {
  const { def } = zodSchema._zod;
  if (def.type === "date") {
    Object.assign(jsonSchema, { type: "string", format: "date-time" });
  } else if (def.type === "bigint") {
    Object.assign(jsonSchema, { type: "integer", ...integerBounds(def.checks ?? []) });
  } else if (def.type === "string") {
    for (const check of def.checks ?? []) {
      const meaning = knownMeaning(check);
      if (meaning?.kind === "decimal") {
        jsonSchema.pattern = decimalPattern(meaning.precision, meaning.scale).source;
      }
      if (meaning?.kind === "json") jsonSchema.contentMediaType = "application/json";
    }
  }
}

/** The closest bounds, where JSON carries them without rounding. */
function integerBounds(checks: readonly z.core.$ZodCheck<never>[]): { minimum?: number; maximum?: number } {
  const [minima, maxima]: [number[], number[]] = [[], []];
  for (const check of checks) {
    const { def } = (check as z.core.$ZodChecks)._zod;
    if (def.check !== "greater_than" && def.check !== "less_than") continue;
    const bound = Number(def.value);
    if (!Number.isSafeInteger(bound)) continue;
    if (def.check === "greater_than") minima.push(def.inclusive ? bound : bound + 1);
    else maxima.push(def.inclusive ? bound : bound - 1);
  }
  return {
    ...(minima.length > 0 && { minimum: Math.max(...minima) }),
    ...(maxima.length > 0 && { maximum: Math.min(...maxima) }),
  };
}

/** A value as JSON has it. */
function inJson(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_name, v) =>
      typeof v === "bigint" ? (Number.isSafeInteger(Number(v)) ? Number(v) : String(v)) : v,
    ),
  );
}
