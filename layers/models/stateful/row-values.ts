/** Values of rows on their way between tables and a step: what is read back is what was given, whatever was between. */
import type { DeltaType } from "../../../schemas/delta-type.ts";

/**
 * A value of a contract's row as DuckDB gives it back from the table. What a step gave is brought to this form at once:
 * a run that goes on from the table then sees what one that goes on from memory sees.
 */
export function plainValue(value: unknown, type: DeltaType): unknown {
  if (value === null || value === undefined) return null;
  if (value instanceof Date) return value.toISOString().replace("Z", "000Z");
  if (typeof value === "string")
    // The binding drops a byte order mark that a text begins with; half of a surrogate pair has no UTF-8.
    return String(type).startsWith("decimal") ? plainDecimal(value, String(type)) : plainText(value);
  // JSON has no minus zero.
  if (typeof value === "number") return value + 0;
  if (typeof type === "string") return value;
  if (type.type === "array")
    return Array.isArray(value) ? value.map((item) => plainValue(item, type.elementType)) : value;
  const fields = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(type.fields.map((f) => [f.name, plainValue(fields[f.name], f.type)]));
}

const plainText = (value: string) =>
  (/\p{Surrogate}/u.test(value) ? Buffer.from(value).toString() : value).replace(/^\uFEFF+/, "");

/** `007.5` of a decimal(12,2) is `7.50`. */
function plainDecimal(value: string, type: string): string {
  const scale = Number(/,\s*(\d+)\)/.exec(type)?.[1] ?? 0);
  const [whole = "", fraction = ""] = value.replace("-", "").split(".");
  const digits = whole.replace(/^0+(?=\d)/, "");
  const text = scale === 0 ? digits : `${digits}.${fraction.padEnd(scale, "0")}`;
  return value.startsWith("-") && /[1-9]/.test(text) ? `-${text}` : text;
}
