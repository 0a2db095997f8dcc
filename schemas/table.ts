/** Contracts: what a table is, said once. */
import { z } from "zod";
import type { Column } from "./column.ts";

/** Columns by name, in the order of the table. */
export type Columns = Readonly<Record<string, Column>>;

/** The contract of some table, for code that serves all of them. */
export interface AnyContract {
  readonly name: string;
  readonly description: string;
  /** Columns whose values together name a row; empty where rows have no identity. */
  readonly key: readonly string[];
  readonly columns: Columns;
}

/** The contract of one table, with the types of its rows. */
export interface TableContract<C extends Columns = Columns> extends AnyContract {
  readonly key: readonly (keyof C & string)[];
  readonly columns: C;
  /** Validates one row as TypeScript sees it. */
  readonly row: z.ZodType<RowOf<C>>;
}

/** TypeScript type of a row of these columns. */
export type RowOf<C extends Columns> = { [K in keyof C]: z.infer<C[K]["zod"]> };

/** Defines a contract. Throws when the key names a column that is not there or that may be null. */
export function defineTable<C extends Columns>(definition: {
  readonly name: string;
  readonly description: string;
  readonly key?: readonly (keyof C & string)[];
  readonly columns: C;
}): TableContract<C> {
  const key = definition.key ?? [];
  for (const name of key) {
    const column = definition.columns[name];
    if (column === undefined || column.isNullable) {
      throw new Error(
        `contract ${definition.name}: key column "${name}" ${column ? "may not be nullable" : "does not exist"}`,
      );
    }
  }
  const shape = Object.fromEntries(Object.entries(definition.columns).map(([name, c]) => [name, c.zod]));
  return { ...definition, key, row: z.object(shape) as unknown as z.ZodType<RowOf<C>> };
}
