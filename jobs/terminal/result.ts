/** What a query gives to those who show it: columns in order, rows as arrays of plain values. */

interface QueryColumn {
  readonly name: string;
  /** The engine's name of the type, for example `DECIMAL(18,2)`. */
  readonly type: string;
}

export interface QueryResult {
  readonly columns: readonly QueryColumn[];
  readonly rows: readonly (readonly unknown[])[];
  /** The query had more rows than were fetched. */
  readonly truncated?: boolean;
}
