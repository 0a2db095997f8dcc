/** A test of a model: few rows in, the rows that are expected out. */

/** Rows as objects, typed by the contract of the table; or SQL that gives them, as for bronze, which has no contract. */
export type GivenRows = readonly Readonly<Record<string, unknown>>[] | string;

/** What comes to the inputs, and what the model's table holds after it. */
export interface ModelTestStep {
  /** When it is, such as `2026-05-01T10:00:00Z`: for models that keep images or versions. It stays until a step says another. */
  readonly at?: string;
  /**
   * By input: rows that come, or take the place of those with their key. For bronze they are changes: `_ingot_op`
   * (`d` for a deletion) and `_ingot_committed_at` may be among the columns.
   */
  readonly change?: Readonly<Record<string, GivenRows>>;
  /** By input of silver or gold: rows of which only the key is looked at, that go. */
  readonly remove?: Readonly<Record<string, GivenRows>>;
  /** All rows, in any order; columns that no row names are not compared. */
  readonly expect: readonly Readonly<Record<string, unknown>>[];
}

export interface ModelTest extends Pick<ModelTestStep, "at" | "expect"> {
  /** What it shows. */
  readonly name: string;
  /** `gold.daily_sales` */
  readonly model: string;
  /** What the inputs hold at first; those that are not named are empty. */
  readonly given: Readonly<Record<string, GivenRows>>;
  readonly steps?: readonly ModelTestStep[];
}
