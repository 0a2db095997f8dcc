/** Whether the values of an expression go into a column of a contract as they are. */

type Family =
  | "boolean"
  | "integer"
  | "decimal"
  | "float"
  | "text"
  | "date"
  | "timestamp"
  | "binary"
  | "other";

const FAMILIES: Readonly<Record<string, Family>> = {
  BOOLEAN: "boolean",
  FLOAT: "float",
  DOUBLE: "float",
  VARCHAR: "text",
  UUID: "text",
  JSON: "text",
  DATE: "date",
  BLOB: "binary",
};

const familyOf = (type: string): Family => {
  if (/^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/.test(type)) return "integer";
  if (type.startsWith("DECIMAL")) return "decimal";
  if (type.startsWith("TIMESTAMP")) return "timestamp";
  if (type.startsWith("ENUM")) return "text";
  return FAMILIES[type] ?? "other";
};

/** Families whose values another takes without loss. What is too large is told when it comes. */
const TAKES: Readonly<Record<Family, readonly Family[]>> = {
  boolean: ["boolean"],
  integer: ["integer"],
  decimal: ["decimal", "integer"],
  float: ["float", "decimal", "integer"],
  text: ["text"],
  date: ["date"],
  timestamp: ["timestamp", "date"],
  binary: ["binary"],
  other: ["other"],
};

/**
 * Whether a column of DuckDB's type `wanted` takes the values of an expression of type `given`: none is rounded, cut
 * or read out of a text on the way. NULL fits everywhere.
 */
export function fits(given: string, wanted: string): boolean {
  if (given === wanted || given === '"NULL"' || given === "NULL") return true;
  const [from, to] = [familyOf(given), familyOf(wanted)];
  if (from === "other" || to === "other") return sameNested(given, wanted);
  if (from === "decimal" && to === "decimal") return scaleOf(given) <= scaleOf(wanted);
  return TAKES[to].includes(from);
}

const scaleOf = (decimal: string) => Number(/,\s*(\d+)\)$/.exec(decimal)?.[1] ?? 0);

/** Lists by their elements; what else is nested has to be the same. */
function sameNested(given: string, wanted: string): boolean {
  if (given.endsWith("[]") && wanted.endsWith("[]")) return fits(given.slice(0, -2), wanted.slice(0, -2));
  return false;
}
