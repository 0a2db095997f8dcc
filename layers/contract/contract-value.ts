/** Values of tables as contracts have them. */
import type { DeltaType } from "../../schemas/delta-type.ts";

/** A value as DuckDB gives it, as the contract's row has it: instants are Dates there, at any depth. */
export function contractValue(value: unknown, type: DeltaType): unknown {
  if (value === null || value === undefined) return null;
  // Instants beyond JavaScript's calendar come as another text, which must not be taken for one near by.
  if (type === "timestamp") return new Date(/^[-+\d]+T/.test(String(value)) ? String(value) : Number.NaN);
  if (typeof type === "string") return value;
  if (type.type === "array") {
    return Array.isArray(value) ? value.map((item) => contractValue(item, type.elementType)) : value;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(type.fields.map((f) => [f.name, contractValue(fields[f.name], f.type)]));
}
