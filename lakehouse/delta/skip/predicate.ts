/** Predicates over the columns of a table, as far as data skipping understands them. */
import type { Value } from "./value.ts";

/** The logical names from a column of the table down to a field of a struct, in the schema's spelling. */
export type ColumnPath = readonly string[];

export type ComparisonOperator = "=" | "<>" | "<" | "<=" | ">" | ">=";

/**
 * A boolean expression with SQL's three values. What the kernel does not understand is `unknown`, which may be
 * true, false or null in any row. `x IS NOT NULL` is `not(isNull)`, `x IS NOT DISTINCT FROM v` is
 * `not(isDistinct)`: neither is ever null. A null literal is `null`.
 */
export type Predicate =
  | { readonly kind: "constant"; readonly value: boolean | null }
  | { readonly kind: "unknown" }
  | {
      readonly kind: "comparison";
      readonly column: ColumnPath;
      readonly operator: ComparisonOperator;
      readonly value: Value | null;
    }
  | { readonly kind: "isDistinct"; readonly column: ColumnPath; readonly value: Value | null }
  | { readonly kind: "isNull"; readonly column: ColumnPath }
  | { readonly kind: "in"; readonly column: ColumnPath; readonly values: readonly (Value | null)[] }
  /** The column is a text that begins with these characters. */
  | { readonly kind: "startsWith"; readonly column: ColumnPath; readonly prefix: string }
  | { readonly kind: "and"; readonly children: readonly Predicate[] }
  | { readonly kind: "or"; readonly children: readonly Predicate[] }
  | { readonly kind: "not"; readonly child: Predicate };

export const UNKNOWN: Predicate = { kind: "unknown" };

export function not(child: Predicate): Predicate {
  return { kind: "not", child };
}
