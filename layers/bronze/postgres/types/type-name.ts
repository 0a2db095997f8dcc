/** Names of types as Postgres' `format_type` prints them. */
import { numericModifier } from "./place.ts";

const NO_PRECISION = 0xffff;

/**
 * `display`: the name without modifier, as `format_type(oid, NULL)` prints it; `base`: the name in `pg_type` of the
 * type (of an array: of its elements) that the modifier belongs to.
 */
export function typeName(display: string, base: string, typmod: number): string {
  // Without a length it is no character(1), for which the bare name stands.
  if (typmod < 0) return base === "bpchar" ? display.replace(/^character(?=$|\[)/, "bpchar") : display;
  const modifier = modifierOf(base, typmod);
  if (modifier === undefined) return display;
  // timestamp(3) with time zone, character varying(10)[]
  const at =
    / with(out)? time zone/.exec(display)?.index ?? display.length - (display.endsWith("[]") ? 2 : 0);
  return `${display.slice(0, at)}(${modifier})${display.slice(at)}`;
}

function modifierOf(base: string, typmod: number): string | undefined {
  switch (base) {
    case "numeric": {
      const { precision, scale } = numericModifier(typmod);
      return `${precision},${scale}`;
    }
    case "varchar":
    case "bpchar":
      return String(typmod - 4);
    case "bit":
    case "varbit":
    case "time":
    case "timetz":
    case "timestamp":
    case "timestamptz":
      return String(typmod);
    case "interval":
      return (typmod & 0xffff) === NO_PRECISION ? undefined : String(typmod & 0xffff);
    default:
      return undefined;
  }
}
