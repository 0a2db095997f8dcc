/** What a model is: the kind of its table, its contract, and what its kind has to be told. */
import type { AnyContract, Columns, RowOf, TableContract } from "../../schemas/table.ts";
import type { AuditDefinition } from "./audit.ts";

/** How a model's table is kept. Whatever the kind, it equals the table that its SQL gives over whole inputs. */
export type ModelKind =
  /** The rows of one bronze table, row by row, deletions and all: what has been written stays. */
  | "append"
  /** Current state by key: the newest change of each key wins, deletes are honoured. One bronze table, row by row. */
  | "merge"
  /** Groups by key: those that a change touches are computed again, the others are left alone. */
  | "aggregate"
  /** Recomputed whenever an input changed; with a key, only rows that differ are written. */
  | "full"
  /** Every version that a row of one bronze table had, with the time from and to which it was so. */
  | "scd2"
  /** An image of what its SQL gives, one a day. */
  | "snapshot"
  /** Rows that a TypeScript function makes, key by key and in order, of a row and of what it made before. */
  | "stateful";

/** What an aggregate says of itself where its SQL does not show which groups a change touches. */
export interface AggregateOptions {
  /**
   * By input (`silver.orders`): SQL over the relation `changed` that gives the keys of the groups that rows which
   * came or went touch; the columns of `changed` are the input's. Inputs may be read too, as they are now.
   */
  readonly touches?: Readonly<Record<string, string>>;
  /** SQL over the relation `touched`, keys that a change touches: those of other groups that depend on these. */
  readonly reach?: string;
}

/** Which images a `snapshot` keeps, and where old ones go. */
export interface SnapshotOptions {
  /** Column of the contract's key that tells the images apart; Ingot fills it in. By default `day`. */
  readonly column?: string;
  /** A `date`, or the `timestamp` at which the hour began. By default `day`. */
  readonly every?: "day" | "hour";
  /** Zone of the IANA database by which days and hours begin. By default `UTC`. */
  readonly timeZone?: string;
  /** Images that are more days old go to `<pipeline>/cold/<table>`, in this lake or at another lake's address. */
  readonly cold?: { readonly afterDays: number; readonly lake?: string };
}

/** What a stateful model makes of its rows; `stateful` types it by the contract and the input. */
export interface StatefulOptions {
  readonly input?: Columns;
  readonly by?: readonly string[];
  readonly order?: readonly string[];
  readonly step?: StepFunction;
}

type AnyRow = Readonly<Record<string, unknown>>;
/** `StatefulModel.step`, for rows of any contract. */
export type StepFunction = (last: AnyRow | undefined, row: AnyRow) => readonly AnyRow[];

/** A row that a step gives: columns that Ingot fills in may be there, and are not looked at. */
export type MadeRow<C extends Columns, Filled extends keyof C> = Omit<RowOf<C>, Filled> & Partial<RowOf<C>>;

/**
 * How a stateful model makes rows of rows. All that a step goes by is its arguments, so that the same rows give the same
 * table whenever they come; what a step calls is not part of the model's fingerprint, only its own text is.
 */
export interface StatefulModel<C extends Columns, I extends Columns, B extends keyof C, O extends keyof C> {
  /** The columns that the SQL gives, one bronze, silver or gold table shaped row by row. Each row is held against them. */
  readonly input: I;
  /** Columns, of the SQL and of the contract's key, whose rows are gone through together. Ingot fills them in. */
  readonly by: readonly B[];
  /**
   * Columns, of the SQL and of the contract, that order the rows of a key; rows that are equal in them follow the order
   * of all their columns. Ingot fills them in: the newest row of a key has those of the last row that was taken in.
   */
  readonly order: readonly O[];
  /**
   * Makes rows of one row. `last`: the newest row that the table has for its key; undefined for the first one, of which
   * at least one row must come. A row with the key of `last` takes its place, others come after it; no row leaves
   * `last` as it is.
   */
  readonly step: (last: RowOf<C> | undefined, row: RowOf<I>) => readonly MadeRow<C, B | O>[];
}

/** When so many rows break their contract that something else must be wrong: the run stops, and nothing is committed. */
export interface QuarantineOptions {
  /** Part of a run's rows, 0 to 1; by default half of them, where they are 100 or more. */
  readonly stopAtRate?: number;
  /** Rows of a run; never by default. */
  readonly stopAtRows?: number;
}

/** What must hold of the table, beside what its contract says of each row. */
export interface AuditOptions<C extends AnyContract = AnyContract> {
  readonly audits?: readonly AuditDefinition<keyof C["columns"] & string>[];
}

/** One model: a SQL file in the pipeline's folder and the contract of what it makes. */
export interface ModelDefinition extends AuditOptions, AggregateOptions, SnapshotOptions, StatefulOptions {
  readonly kind: ModelKind;
  readonly contract: AnyContract;
  readonly quarantine?: QuarantineOptions;
}

/** A model whose type keeps its contract, for consumers that are typed by it. */
export interface ModelOf<C extends AnyContract> extends ModelDefinition {
  readonly contract: C;
}

/** A model that takes over the rows of one bronze table as they come; those that break the contract are set aside. */
export const append = <C extends AnyContract>(
  contract: C,
  options: AuditOptions<C> & { readonly quarantine?: QuarantineOptions } = {},
): ModelOf<C> => ({ kind: "append", contract, ...options });

/** A model that keeps the current state of one bronze table by its key; rows that break the contract are set aside. */
export const merge = <C extends AnyContract>(
  contract: C,
  options: AuditOptions<C> & { readonly quarantine?: QuarantineOptions } = {},
): ModelOf<C> => ({ kind: "merge", contract, ...options });

/** A model of groups by the contract's key, of which a change recomputes those that it touches. */
export const aggregate = <C extends AnyContract>(
  contract: C,
  options: AggregateOptions & AuditOptions<C> = {},
): ModelOf<C> => ({
  kind: "aggregate",
  contract,
  ...options,
});

/** A model that is recomputed whole. */
export const full = <C extends AnyContract>(contract: C, options: AuditOptions<C> = {}): ModelOf<C> => ({
  kind: "full",
  contract,
  ...options,
});

/**
 * A model that keeps every version of the rows of one bronze table, with the time in which it was so. The contract has
 * `VALID_FROM` in its key, beside the key of the bronze table, and `VALID_TO`, null for what is so now; the SQL gives
 * neither. Changes that break the contract are set aside.
 */
export const scd2 = <C extends AnyContract>(
  contract: C,
  options: AuditOptions<C> & { readonly quarantine?: QuarantineOptions } = {},
): ModelOf<C> => ({
  kind: "scd2",
  contract,
  ...options,
});

/** A model that keeps an image of what its SQL gives for every day, or every hour. Images that were taken stay. */
export const snapshot = <C extends AnyContract>(
  contract: C,
  options: SnapshotOptions & AuditOptions<C> = {},
): ModelOf<C> => ({
  kind: "snapshot",
  contract,
  ...options,
});

/** A model whose rows a TypeScript function makes, key by key and in order. */
export const stateful = <
  C extends Columns,
  I extends Columns,
  const B extends keyof C & keyof I & string,
  const O extends keyof C & keyof I & string,
>(
  contract: TableContract<C>,
  { step, ...options }: StatefulModel<C, I, B, O> & AuditOptions<TableContract<C>>,
): ModelOf<TableContract<C>> => ({
  kind: "stateful",
  contract,
  ...options,
  // Rows are typed by the contracts at run time too.
  step: step as unknown as StepFunction,
});
