/** Contracts: what a table is, said once. */
import { z } from "zod";
import { checkDefinition } from "./check-definition.ts";
import type { Column, Referable, ValueOf } from "./column.ts";

/** Columns by name, in the order of the table. */
export type Columns = Readonly<Record<string, Column>>;

/** Something that every row fulfils, in DuckDB SQL over the table's columns; NULL breaks nothing, as in CHECK. */
export interface TableCheck {
  readonly sql: string;
  /** What to tell whoever looks at a row that breaks it. */
  readonly message?: string;
}

/** The contract of some table, for code that serves all of them. */
export interface AnyContract extends Referable {
  readonly name: string;
  readonly description: string;
  /** Columns whose values together name a row; empty where rows have no identity. */
  readonly key: readonly string[];
  readonly columns: Columns;
  /** By name. */
  readonly checks: Readonly<Record<string, TableCheck>>;
  /** The newest value of `column` is never older than `within` minutes. */
  readonly freshness: { readonly column: string; readonly within: number } | undefined;
  readonly partitionBy: readonly string[];
}

/** The contract of one table, with the types of its rows. */
export interface TableContract<C extends Columns = Columns> extends AnyContract {
  readonly key: readonly (keyof C & string)[];
  readonly columns: C;
  /** Validates one row as TypeScript sees it. */
  readonly row: z.ZodType<RowOf<C>>;
}

/** TypeScript type of a row of these columns. */
export type RowOf<C extends Columns> = { [K in keyof C]: ValueOf<C[K]> };

export interface TableDefinition<C extends Columns> {
  readonly name: string;
  readonly description: string;
  readonly key?: readonly (keyof C & string)[];
  /** Further sets of columns whose values together occur once; of one column, `unique()` says it. */
  readonly unique?: readonly (readonly (keyof C & string)[])[];
  readonly columns: C;
  readonly checks?: Readonly<Record<string, TableCheck>>;
  readonly freshness?: { readonly column: keyof C & string; readonly within: number };
  readonly partitionBy?: readonly (keyof C & string)[];
}

/**
 * Defines a contract.
 *
 * @throws ContractError where the definition contradicts itself: it names columns that are not there, its key may be
 * null, a default breaks its own check, a column transforms its values.
 */
export function defineTable<C extends Columns>(definition: TableDefinition<C>): TableContract<C> {
  const { name, description, columns, key = [], checks = {}, freshness, partitionBy = [] } = definition;
  const alone = Object.keys(columns).filter((column) => columns[column]?.isUnique);
  const unique = [...alone.map((column) => [column]), ...(definition.unique ?? [])];
  const contract = { name, description, key, unique, columns, checks, freshness, partitionBy };
  checkDefinition(contract);
  const shape = Object.fromEntries(Object.entries(columns).map(([column, c]) => [column, c.zod]));
  return { ...contract, row: z.object(shape) as unknown as z.ZodType<RowOf<C>> };
}
