/**
 * A column of a contract: one definition gives the zod schema of a value in TypeScript, the Delta type in the table's
 * schema and, compiled, the checks in SQL.
 */
import type { z } from "zod";
import type { DeltaType } from "./delta-type.ts";

/** What a column needs to know of the contract that it refers to. */
export interface Referable {
  readonly name: string;
  readonly key: readonly string[];
  /** Sets of columns whose values together occur once. */
  readonly unique: readonly (readonly string[])[];
  readonly columns: Readonly<Record<string, { readonly type: DeltaType }>>;
}

/** A column of another contract whose values are the only ones that may stand here. */
export interface Reference {
  /** Asked for late: contracts may refer to one another, and to themselves. */
  readonly contract: () => Referable;
  readonly column: string;
}

/** How a personal value is shown to those who may not see it: hidden, or replaced by a digest that still joins. */
export type Sensitivity = "mask" | "hash";

/** Immutable: every method gives a new column. `Z` describes a value that is there, `N` says whether it may be absent. */
export class Column<Z extends z.ZodType = z.ZodType, N extends boolean = boolean> {
  readonly type: DeltaType;
  /** What a value that is there must be. */
  readonly value: Z;
  readonly isNullable: N;
  readonly description: string | undefined = undefined;
  /** What a writer puts where it has nothing. */
  readonly defaultValue: z.output<Z> | undefined = undefined;
  readonly isUnique: boolean = false;
  readonly reference: Reference | undefined = undefined;
  readonly sensitivity: Sensitivity | undefined = undefined;

  constructor(type: DeltaType, value: Z, isNullable: N) {
    this.type = type;
    this.value = value;
    this.isNullable = isNullable;
  }

  /** zod schema of the column's values, `null` among them where the column is nullable. */
  get zod(): z.ZodType {
    return this.isNullable ? this.value.nullable() : this.value;
  }

  /** The same column, with SQL NULL allowed (`null` in TypeScript). */
  nullable(): Column<Z, true> {
    return Object.assign(new Column(this.type, this.value, true as const), { ...this, isNullable: true });
  }

  /**
   * Adds checks to a value's zod schema: `text().check((s) => s.min(1))`. They check and do not change: a contract
   * with transforms is refused. NULL is not checked.
   */
  check(build: (schema: Z) => z.ZodType<z.output<Z>>): this {
    return this.with({ value: build(this.value) as Z });
  }

  /** The same column with a comment, which the Delta schema carries to every reader. */
  describe(description: string): this {
    return this.with({ description });
  }

  default(value: z.output<Z>): this {
    return this.with({ defaultValue: value });
  }

  /** No two rows have the same value. */
  unique(): this {
    return this.with({ isUnique: true });
  }

  /** Every value is one of a key or unique column of another contract: `references(() => orders, "id")`. */
  references<C extends Referable>(contract: () => C, column: keyof C["columns"] & string): this {
    return this.with({ reference: { contract, column } });
  }

  /** Values are personal. */
  sensitive(sensitivity: Sensitivity): this {
    return this.with({ sensitivity });
  }

  protected with(changes: Partial<Omit<Column<Z, N>, "zod">>): this {
    return Object.assign(Object.create(Object.getPrototypeOf(this)) as this, this, changes);
  }
}

/** TypeScript type of a column's values. */
export type ValueOf<C extends Column> = z.output<C["value"]> | (true extends C["isNullable"] ? null : never);
