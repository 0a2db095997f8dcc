/** Columns of a random model, and the models that shape one bronze table row by row. */
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { append, type ModelDefinition, merge, scd2 } from "../../layers/definition/model.ts";
import {
  type AnyContract,
  type Column,
  date,
  defineTable,
  double,
  long,
  text,
  timestamp,
} from "../../schemas/index.ts";
import { type Choices, Expressions, type Item, TYPES, type ValueType } from "./random-expression.ts";
import type { Relation, TypedColumn } from "./random-join.ts";

export interface RandomModel {
  readonly layer: "silver" | "gold";
  readonly name: string;
  readonly definition: ModelDefinition;
  readonly sql: string;
}

const COLUMNS: Readonly<Record<ValueType, () => Column>> = { long, text, timestamp, date, double };

/** A column of what a model gives. */
interface Output extends TypedColumn {
  /** Undefined where the SQL does not give it. */
  readonly sql: string | undefined;
  /** Where a value may be that breaks the contract. */
  readonly column?: Column;
}

/** Names of columns: some have to be quoted. */
const NAMES = ["a", "b", "order", 'x"y', "v w", "Z", "é"];

/** The columns of a model as they are chosen, one after the other. */
export class Outputs {
  readonly list: Output[] = [];

  /** Adds a column; without a name it gets one of its own. */
  add(
    type: ValueType,
    sql: string | undefined,
    options: { name?: string; isNullable?: boolean; column?: Column } = {},
  ) {
    const free =
      NAMES.find((name) => this.list.every((other) => other.name !== name)) ?? `c${this.list.length}`;
    const { name = free, isNullable = true, column } = options;
    const output = { name, type, sql, isNullable, ...(column === undefined ? {} : { column }) };
    this.list.push(output);
    return output;
  }

  /** The select list. */
  get sql(): string {
    return this.list
      .flatMap(({ sql, name }) => (sql === undefined ? [] : `${sql} AS ${identifier(name)}`))
      .join(", ");
  }

  contract(choices: Choices, name: string, key: readonly string[]): AnyContract {
    const columns = this.list.map(({ name: column, type, isNullable, column: own }) => {
      const made = own ?? COLUMNS[type]();
      return [column, isNullable ? made.nullable() : made] as const;
    });
    const parts = this.list.filter(({ type }) => type !== "double" && type !== "timestamp");
    const [part] = choices.oneIn(6) ? parts.slice(choices.below(parts.length || 1)) : [];
    const partitionBy = part === undefined ? [] : [part.name];
    return defineTable({ name, description: name, key, columns: Object.fromEntries(columns), partitionBy });
  }

  relation(reference: string, key: readonly string[]): Relation {
    return {
      reference,
      key,
      columns: this.list.map(({ name, type, isNullable }) => ({ name, type, isNullable })),
    };
  }
}

const source = (table: string, key: string, columns: Readonly<Record<string, ValueType>>) => ({
  table,
  key,
  columns: Object.entries(columns).map(([name, type]): TypedColumn => ({ name, type, isNullable: true })),
});
const SOURCES = [
  source("orders", "id", { id: "long", customer: "long", amount: "long", status: "text", hour: "long" }),
  source("customers", "id", { id: "long", region: "text" }),
  source("regions", "code", { code: "text", name: "text" }),
] as const;

const OPERATION: TypedColumn = { name: "_ingot_op", type: "text", isNullable: false };
const asRelation = ({ table, columns }: (typeof SOURCES)[number]): Relation => ({
  reference: `bronze.${table}`,
  columns: [...columns, OPERATION],
  key: [],
});
/** Bronze as models of any table see it: every change, deletions and truncations among them. */
export const BRONZE = [asRelation(SOURCES[0]), asRelation(SOURCES[1]), asRelation(SOURCES[2])] as const;

const itemsOf = (columns: readonly TypedColumn[], key?: string): Item[] =>
  columns.map(({ name, type, isNullable }) => ({
    sql: identifier(name),
    type,
    isNullable: isNullable && name !== key,
  }));

const where = (choices: Choices, values: Expressions) =>
  choices.oneIn(3) ? ` WHERE ${values.predicate()}` : "";

/** Columns as the source has them, most often: what other models join by meets then. Or what is made of them. */
function addValues(choices: Choices, outputs: Outputs, values: Expressions): void {
  const given = values.items.filter(({ sql }) => outputs.list.every((other) => other.sql !== sql));
  if (!choices.oneIn(3)) for (const { type, sql } of given) outputs.add(type, sql);
  for (let i = choices.pick(1, 2, 3); i > 0; i--) {
    const type = choices.pick(...TYPES);
    outputs.add(type, values.any(type));
  }
}

/** A column that some rows break the contract in, or cannot be cast to. */
function addBroken(choices: Choices, outputs: Outputs, values: Expressions): void {
  if (!choices.oneIn(3)) return;
  choices.pick(
    () => outputs.add("long", values.any("long"), { column: long().check((n) => n.min(0n)) }),
    () => outputs.add("text", values.any("text"), { isNullable: false }),
    () => outputs.add("long", `CAST(${values.any("text")} AS BIGINT)`),
  )();
}

/** However many rows break their contract, runs go on. */
const UNLIMITED = { quarantine: { stopAtRate: 2 } };

/** A source's key as it is, with values of its rows. */
function keyedRows(choices: Choices) {
  const { table, key, columns } = choices.pick(SOURCES[0], ...SOURCES);
  const values = new Expressions(choices, itemsOf(columns, key));
  const outputs = new Outputs();
  const { type = "long" } = columns.find((column) => column.name === key) ?? {};
  outputs.add(type, identifier(key), { name: key, isNullable: false });
  addValues(choices, outputs, values);
  addBroken(choices, outputs, values);
  return { table, key, values, outputs };
}

export function mergeModel(choices: Choices, name: string) {
  const { table, key, values, outputs } = keyedRows(choices);
  const sql = `SELECT ${outputs.sql} FROM bronze.${table}${where(choices, values)}`;
  const definition = merge(outputs.contract(choices, name, [key]), UNLIMITED);
  return { layer: "silver", name, definition, sql, ...asInput("silver", name, outputs, [key]) } as const;
}

export function appendModel(choices: Choices, name: string) {
  const { table, columns } = choices.pick(SOURCES[0], ...SOURCES);
  const values = new Expressions(choices, itemsOf([...columns, OPERATION]));
  const outputs = new Outputs();
  outputs.add("text", identifier(OPERATION.name), { isNullable: false });
  addValues(choices, outputs, values);
  addBroken(choices, outputs, values);
  const sql = `SELECT ${outputs.sql} FROM bronze.${table}${where(choices, values)}`;
  const definition = append(outputs.contract(choices, name, []), UNLIMITED);
  return { layer: "silver", name, definition, sql, ...asInput("silver", name, outputs, []) } as const;
}

export function scd2Model(choices: Choices, name: string) {
  const { table, key, values, outputs } = keyedRows(choices);
  outputs.add("timestamp", undefined, { name: "valid_from", isNullable: false });
  outputs.add("timestamp", undefined, { name: "valid_to" });
  const sql = `SELECT ${outputs.sql} FROM bronze.${table}${where(choices, values)}`;
  const keys = [key, "valid_from"];
  const definition = scd2(outputs.contract(choices, name, keys), UNLIMITED);
  return { layer: "silver", name, definition, sql, ...asInput("silver", name, outputs, keys) } as const;
}

/** The model's table as others read it. */
export const asInput = (layer: string, name: string, outputs: Outputs, key: readonly string[]) => ({
  relation: outputs.relation(`${layer}.${name}`, key),
});
