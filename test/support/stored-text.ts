/** Compares what Postgres prints of a value with what a Delta column holds of it; told by rules of its own. */
import type { DataType } from "../../lakehouse/delta/schema.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";

/** Stands before each text: the binding drops a byte order mark that a text begins with. */
const MARK = "|";

/** SQL that shows a stored value as text behind a mark, or for arrays as a list of such texts. */
export function shownSql(column: string, type: DataType): string {
  const name = identifier(column);
  if (typeof type !== "string") {
    const element = type.type === "array" ? type.elementType : undefined;
    return `list_transform(${name}, lambda e: '${MARK}' || ${element === "float" ? "e::DOUBLE" : "e"}::VARCHAR) AS ${name}`;
  }
  if (type === "binary") return `'${MARK}\\x' || lower(hex(${name})) AS ${name}`;
  return `'${MARK}' || ${type === "float" ? `${name}::DOUBLE` : name}::VARCHAR AS ${name}`;
}

/** Whether a Delta column of this type has a place for a value, by Postgres' text of it. */
export function hasPlace(type: DataType, text: string): boolean {
  if (typeof type !== "string") {
    if (type.type !== "array" || !/^\{(?!\{)/.test(text)) return false;
    const { elementType } = type;
    return elements(text).every((element) => element === null || hasPlace(elementType, element));
  }
  if (type === "date") return /^\d{4}-\d\d-\d\d$/.test(text);
  if (type === "timestamp") return /^\d{4}-\d\d-\d\d [\d:.]+(\+00)?$/.test(text);
  return !type.startsWith("decimal") || text !== "NaN";
}

/** Whether a stored value, shown by `shownSql`, is the value of Postgres' text. */
export function isSame(type: DataType, text: string, shown: unknown): boolean {
  if (typeof type === "string") {
    return typeof shown === "string" && isSameScalar(type, text, shown.slice(MARK.length));
  }
  if (type.type !== "array" || !Array.isArray(shown)) return false;
  const expected = elements(text);
  return (
    expected.length === shown.length &&
    expected.every((e, i) => (e === null ? shown[i] === null : isSame(type.elementType, e, shown[i])))
  );
}

function isSameScalar(type: string, text: string, shown: string): boolean {
  switch (type) {
    case "boolean":
      return shown === (text === "t" ? "true" : "false");
    case "float":
      return Object.is(Math.fround(numberOf(shown)), Math.fround(numberOf(text)));
    case "double":
      return Object.is(numberOf(shown), numberOf(text));
    case "timestamp":
      return shown.replace(/\+00$/, "") === text.replace(/\+00$/, "");
    default:
      // DuckDB leaves the zero in front of the point away where a decimal has only digits behind it.
      return (type.startsWith("decimal") ? shown.replace(/^(-?)\./, "$10.") : shown) === text;
  }
}

function numberOf(text: string): number {
  const infinite = /^(-?)inf/i.exec(text);
  return infinite ? Number(`${infinite[1]}Infinity`) : Number(text);
}

/** The elements of the text of an array of one dimension, character by character. */
function elements(text: string): (string | null)[] {
  const found: (string | null)[] = [];
  for (let at = 1; at < text.length && text !== "{}"; at++) {
    let element = "";
    const quoted = text[at] === '"';
    if (quoted) {
      for (at++; text[at] !== '"'; at++) {
        if (text[at] === "\\") at++;
        element += text[at];
      }
      at++;
    } else {
      for (; text[at] !== "," && text[at] !== "}"; at++) element += text[at];
    }
    found.push(!quoted && element === "NULL" ? null : element);
  }
  return found;
}
