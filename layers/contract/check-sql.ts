/** Rules of rows as SQL expressions over the columns of a table. */
import { literal } from "../../lakehouse/duckdb/quote.ts";
import type { Rule } from "./rule.ts";

/** TRUE where a row keeps all rules, FALSE where it does not. */
export function okSql({ rules }: { readonly rules: readonly Rule[] }): string {
  if (rules.length === 0) return "true";
  // FALSE as soon as one is FALSE; NULL otherwise where one is NULL, which breaks nothing.
  return `((${rules.map(wrapped).join(" AND ")}) IS NOT FALSE)`;
}

/** VARCHAR[]: the names of the rules that a row breaks, in the order of the rules. */
export function brokenSql({ rules }: { readonly rules: readonly Rule[] }): string {
  if (rules.length === 0) return "[]::VARCHAR[]";
  const names = rules.map((rule) => `CASE WHEN ${wrapped(rule)} IS FALSE THEN ${literal(rule.name)} END`);
  return `list_filter([${names.join(", ")}], lambda _rule : _rule IS NOT NULL)`;
}

/** On a line of its own: a check that somebody wrote may end in a comment. */
const wrapped = ({ sql }: Rule) => `(${sql}\n)`;
