/** Checks of texts in SQL. zod and DuckDB both count code points. */
import { z } from "zod";
import type { Clause } from "./clause.ts";
import { textSql } from "./clause.ts";
import { BEYOND_UNITS, toRe2 } from "./regex/re2.ts";

/** Formats that zod judges by their pattern alone. */
const BY_PATTERN = new Set(
  (
    "regex lowercase uppercase email guid uuid nanoid cuid cuid2 ulid xid ksuid " +
    "datetime date time duration ipv4 cidrv4 e164 emoji mac"
  ).split(" "),
);
/** Formats that zod judges by code that is the same as a pattern. */
const SAME_AS: Readonly<Record<string, RegExp>> = {
  base64: z.regexes.base64,
  base64url: z.regexes.base64url,
};

/** The clause of a format; `check` is what zod tells issues by. */
export function formatClause(value: string, def: z.core.$ZodCheckStringFormatDef, check: object): Clause {
  const { format, pattern } = def;
  const affix = affixSql(value, def);
  if (affix !== undefined) return affix;
  const isOwnCode = "fn" in def;
  const regex = isOwnCode ? undefined : (SAME_AS[format] ?? (BY_PATTERN.has(format) ? pattern : undefined));
  if (regex === undefined) {
    return { name: format, residual: { spec: `${format}: judged by code, not by a pattern`, check } };
  }
  return regexClause(value, format, regex, check);
}

function regexClause(value: string, name: string, regex: RegExp, check: object): Clause {
  const re2 = toRe2(regex);
  const text = re2 && textSql(re2.text);
  if (re2 === undefined || text === undefined) {
    return { name, residual: { spec: `${regex}: a pattern that SQL does not have`, check } };
  }
  const sql = `regexp_matches(${value}, ${text})`;
  if (re2.isExact) return { name, sql };
  const where = `regexp_matches(${value}, '${BEYOND_UNITS}')`;
  const spec = `${regex}: without flag u, it takes characters beyond 0xffff for two`;
  return { name, sql: `(${sql} OR ${where})`, residual: { where, spec, check } };
}

type AffixDef =
  | z.core.$ZodCheckStartsWithDef
  | z.core.$ZodCheckEndsWithDef
  | z.core.$ZodCheckIncludesDef
  | z.core.$ZodCheckStringFormatDef;

/** starts_with, ends_with and includes. */
function affixSql(value: string, def: AffixDef): Clause | undefined {
  if (def.format === "starts_with" && "prefix" in def)
    return affix("startsWith", "starts_with", value, def.prefix);
  if (def.format === "ends_with" && "suffix" in def) return affix("endsWith", "suffix", value, def.suffix);
  if (def.format === "includes" && "includes" in def && !def.position) {
    return affix("includes", "contains", value, def.includes);
  }
  return undefined;
}

function affix(name: string, fn: string, value: string, part: string): Clause | undefined {
  const text = textSql(part);
  return text === undefined ? undefined : { name, sql: `${fn}(${value}, ${text})` };
}

/**
 * Whether a text is JSON to `JSON.parse`. DuckDB's own function takes more (NaN, infinities, a comma before a closing
 * bracket) and refuses escapes of half characters; so it sees the text with its strings emptied, and what it takes in
 * addition is looked for there.
 */
export function jsonSql(value: string): string {
  const strings = '"(?:[^"\\\\\\x00-\\x1f]|\\\\(?:["\\\\/bfnrt]|u[0-9a-fA-F]{4}))*"';
  const bare = `regexp_replace(${value}, '${strings}', '""', 'g')`;
  const lax = "(?i)nan|inf|,[ \\t\\n\\r]*[\\]}]";
  return `(json_valid(${bare}) AND NOT regexp_matches(${bare}, '${lax}'))`;
}
