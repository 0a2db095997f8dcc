/** Audits: what must hold of a model's table as a whole, looked at before a commit is seen by anyone. */

/** `error`: the commit does not happen. `warn`: it does, and it is said. */
export type AuditSeverity = "error" | "warn";

/** A value as SQL compares it with a column's; decimals, dates and timestamps are given as text. */
export type AuditValue = string | number | bigint | boolean;

/** How many rows a table may have, and how far that may be from what it had; 0.5 is half of them more or less. */
export interface RowCountLimits {
  readonly min?: number;
  readonly max?: number;
  readonly changeAtMost?: number;
}

export type AuditCheck<C extends string = string> =
  | { readonly kind: "notNull"; readonly column: C }
  | { readonly kind: "unique"; readonly columns: readonly C[] }
  | { readonly kind: "references"; readonly column: C; readonly table: string; readonly to: string }
  | { readonly kind: "acceptedValues"; readonly column: C; readonly values: readonly AuditValue[] }
  | ({ readonly kind: "rowCount" } & RowCountLimits)
  | { readonly kind: "freshness"; readonly column: C; readonly within: number }
  | { readonly kind: "sql"; readonly sql: string };

/** An audit as plain data. `C`: names of columns of the model that it looks at. */
export interface AuditDefinition<C extends string = string> {
  /** Tells it from the others of the model. */
  readonly name: string;
  readonly check: AuditCheck<C>;
  readonly severity: AuditSeverity;
}

/** An audit; immutable. */
export class Audit<C extends string = string> implements AuditDefinition<C> {
  readonly name: string;
  readonly check: AuditCheck<C>;
  readonly severity: AuditSeverity;

  constructor(name: string, check: AuditCheck<C>, severity: AuditSeverity = "error") {
    this.name = name;
    this.check = check;
    this.severity = severity;
  }

  /** The same audit, which stops nothing: what it finds is said. */
  warn(): Audit<C> {
    return new Audit(this.name, this.check, "warn");
  }
}

/** Every row has a value in the column. */
export const notNull = <const C extends string>(column: C): Audit<C> =>
  new Audit(`notNull(${column})`, { kind: "notNull", column });

/** No two rows have the same values in these columns; rows with a NULL among them are left out, as in SQL. */
export const unique = <const C extends string>(...columns: readonly [C, ...C[]]): Audit<C> =>
  new Audit(`unique(${columns.join(", ")})`, { kind: "unique", columns });

/** Every value of the column, NULL apart, is one of the column `to` of a table: `references("user_id", "silver.users", "id")`. */
export const references = <const C extends string>(column: C, table: string, to: string): Audit<C> =>
  new Audit(`references(${column}, ${table}.${to})`, { kind: "references", column, table, to });

/** Every value of the column, NULL apart, is one of these. */
export const acceptedValues = <const C extends string>(column: C, values: readonly AuditValue[]): Audit<C> =>
  new Audit(`acceptedValues(${column})`, { kind: "acceptedValues", column, values });

/** The table has so many rows. What it had is its version before; a table that is new, or had none, changes as it likes. */
export function rowCount(limits: RowCountLimits): Audit<never> {
  const { min, max, changeAtMost } = limits;
  const said = [
    min === undefined ? [] : `min ${min}`,
    max === undefined ? [] : `max ${max}`,
    changeAtMost === undefined ? [] : `change at most ${changeAtMost}`,
  ].flat();
  return new Audit(`rowCount(${said.join(", ")})`, { kind: "rowCount", ...limits });
}

/** The newest value of a column of timestamps or dates is at most so many minutes old; a table without values is fresh. */
export const freshness = <const C extends string>({
  column,
  within,
}: {
  readonly column: C;
  readonly within: number;
}): Audit<C> => new Audit(`freshness(${column})`, { kind: "freshness", column, within });

/**
 * A query that gives rows that are wrong, and none where all is right. It names the model's table and any other of the
 * pipeline as models do: `SELECT * FROM gold.daily_sales WHERE revenue > 1e6`.
 */
export const sql = (name: string, query: string): Audit<never> =>
  new Audit(name, { kind: "sql", sql: query.trim().replace(/;$/, "") });
