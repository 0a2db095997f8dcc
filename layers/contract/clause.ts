/** What one check of a zod schema becomes: SQL, or work for JavaScript, or both where SQL cannot decide on some values. */
import { literal } from "../../lakehouse/duckdb/quote.ts";

export interface Clause {
  /** Of the check, within its column: `min`, `enum`, `[].required`. */
  readonly name: string;
  /** TRUE or NULL where the value keeps it; absent where SQL cannot say it at all. */
  readonly sql?: string;
  /** What JavaScript has to judge. */
  readonly residual?: {
    /** For which values; all of them where it is absent. */
    readonly where?: string;
    /** The check as it was written, and why it is not SQL. */
    readonly spec: string;
    /** The zod check that has to raise no issue; the whole schema where it is absent. */
    readonly check?: object;
  };
}

/** SQL for a value of a schema: the expression that holds it, and what a check needs to know of its type. */
export interface Operand {
  /** Expression of the value. */
  readonly sql: string;
  /** Name of the Delta type where it is a primitive. */
  readonly type: string;
}

/** A condition that nothing but NULL keeps. */
export const never = (value: string) => `${value} IS NULL`;

/** A text as SQL; undefined where it is no text that a table could hold (halves of characters). */
export function textSql(text: string): string | undefined {
  if (/\p{Surrogate}/u.test(text)) return undefined;
  // The end of a statement to the parser.
  const parts = text.split("\0").map(literal);
  return parts.length === 1 ? (parts[0] ?? "''") : `(${parts.join(" || chr(0) || ")})`;
}
