/** What a source table becomes: its entry in the pipeline, its contract, its silver model. */
import { groupDigits } from "../terminal/numbers.ts";
import { qualified } from "./choose-tables.ts";
import { type ContractType, contractType } from "./contract-type.ts";
import type { FoundColumn, FoundTable } from "./read-tables.ts";
import { type Changes, cursorOf, keyOf, type TableKey } from "./table-key.ts";

export interface PlannedColumn extends ContractType {
  readonly name: string;
  readonly nullable: boolean;
  readonly description: string | undefined;
  /** Why it is not as the source says. */
  readonly note?: string;
}

export interface PlannedModel {
  readonly key: readonly string[];
  readonly columns: readonly PlannedColumn[];
  /** Columns that contracts have no type for, with what they are at the source. Bronze has them. */
  readonly untyped: readonly string[];
  /** Generated columns, which are not captured. */
  readonly uncaptured: readonly string[];
}

export interface PlannedTable {
  /** Name of the table in bronze and silver, and of its files. */
  readonly name: string;
  /** Constant of its contract. */
  readonly constant: string;
  /** `schema.table` at the source. */
  readonly source: string;
  readonly description: string;
  /** Options of its entry in the pipeline, in order. */
  readonly options: Readonly<Record<string, string | readonly string[]>>;
  readonly notes: readonly string[];
  /** Undefined where nothing names a row. */
  readonly model: PlannedModel | undefined;
}

/** Rows from which on reading all keys at every sync is worth a word. */
const MANY = 10_000_000;

export function planTable(
  table: FoundTable,
  names: Pick<PlannedTable, "name" | "constant">,
  changes: Changes,
): PlannedTable {
  const key = keyOf(table, changes);
  const cursor = changes === "query" ? cursorOf(table) : undefined;
  const compares = changes === "query" && key.columns.length > 0;
  const { model, note } = planModel(table, key, changes);
  const notes = [
    ...(key.note === undefined ? [] : [`No key, so no silver model: ${key.note}.`]),
    ...(compares && (table.rows ?? 0) >= MANY
      ? [
          `About ${groupDigits(Math.round(table.rows ?? 0))} keys are read at every sync; "ignore" where rows are never deleted.`,
        ]
      : []),
    ...(note === undefined ? [] : [note]),
  ];
  return {
    ...names,
    source: qualified(table),
    description: table.comment || `Rows of ${qualified(table)}.`,
    options: {
      ...(table.schema === "public" ? {} : { schema: table.schema }),
      ...(table.name === names.name ? {} : { table: table.name }),
      ...(key.columns.length === 0 ? { key: "none" } : key.isPrimary ? {} : { key: key.columns }),
      ...(cursor === undefined ? {} : { cursor }),
      ...(compares ? { deletes: "compare" } : {}),
    },
    notes,
    model,
  };
}

function planModel(
  table: FoundTable,
  { columns: key }: TableKey,
  changes: Changes,
): { readonly model: PlannedModel | undefined; readonly note?: string } {
  if (key.length === 0) return { model: undefined };
  const uncaptured = table.columns.filter(({ generated }) => generated && changes === "wal");
  const typed = table.columns
    .filter((column) => !uncaptured.includes(column))
    .map((column) => ({ column, type: contractType(column) }));
  const untyped = typed.filter(({ type }) => type === undefined).map(({ column }) => column);
  const lost = untyped.find(({ name }) => key.includes(name));
  if (lost !== undefined) {
    return {
      model: undefined,
      note: `No silver model: contracts have no type for its key ${lost.name} (${lost.display}).`,
    };
  }
  const columns = typed.flatMap(({ column, type }) =>
    type === undefined ? [] : [{ ...type, ...planColumn(column, key.includes(column.name)) }],
  );
  const model: PlannedModel = {
    key,
    columns,
    untyped: untyped.map(({ name, display }) => `${name} (${display})`),
    uncaptured: uncaptured.map(({ name }) => name),
  };
  return { model };
}

function planColumn(column: FoundColumn, isKey: boolean): Omit<PlannedColumn, keyof ContractType> {
  const { name, required, comment, labels, misplaced } = column;
  const note = !isKey && required && misplaced ? MISPLACED_NOTE : undefined;
  const choices = labels === null ? undefined : labels.join(", ");
  const description = comment || (choices !== undefined && choices.length <= 100 ? choices : undefined);
  const nullable = !isKey && (!required || note !== undefined);
  return { name, nullable, description, ...(note === undefined ? {} : { note }) };
}

/** Why a column that is never null at the source may be null in bronze. */
const MISPLACED_NOTE =
  "Never null at the source; values that only Postgres has, as infinity, are in _ingot_rescued.";
