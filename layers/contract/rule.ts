/** What a contract asks of a row, compiled. */

/** One thing that a row keeps. Keeping it, `sql` is TRUE or NULL, as in a CHECK constraint. */
export interface Rule {
  /** `status.enum`, `id.required`; the name of a check of the table. */
  readonly name: string;
  /** The column that it is about; absent for a check of the table. */
  readonly column?: string;
  /** DuckDB SQL over the columns of the table by their names, not qualified. */
  readonly sql: string;
  /** What to tell of a row that breaks it. */
  readonly message?: string;
}

/** A check that no SQL says exactly: it runs in JavaScript, on the distinct values of its column. */
export interface ResidualRule {
  readonly name: string;
  readonly column: string;
  /** SQL over the column that is true for the values to judge; all that are not NULL where it is absent. */
  readonly where?: string;
  /** The check as it was written, and why it is not SQL: for people, and for the fingerprint. */
  readonly spec: string;
  /** Judges a value as a contract's row has it (instants are Dates). Throws what the contract's own code throws. */
  readonly keeps: (value: unknown) => boolean;
}

export interface CompiledContract {
  readonly name: string;
  readonly rules: readonly Rule[];
  readonly residual: readonly ResidualRule[];
  /** Differs when the rules do. What a function calls is not seen: only its own text is. */
  readonly fingerprint: string;
}
