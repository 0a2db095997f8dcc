/** What a contract's definition must fulfil before anything is made of it. */
import type { Column, Referable } from "./column.ts";
import { ContractError } from "./contract-error.ts";
import { refusedIn } from "./refused-schema.ts";

interface Definition extends Referable {
  readonly columns: Readonly<Record<string, Column>>;
  readonly checks: Readonly<Record<string, { readonly sql: string }>>;
  readonly freshness: { readonly column: string; readonly within: number } | undefined;
  readonly partitionBy: readonly string[];
}

type Fail = (problem: string) => never;
type Named = (what: string, name: string) => Column;

/** Throws `ContractError` for the first thing that is wrong. */
export function checkDefinition(definition: Definition): void {
  const fail: Fail = (problem) => {
    throw new ContractError(definition.name, problem);
  };
  const named: Named = (what, name) =>
    definition.columns[name] ?? fail(`${what} column "${name}" does not exist`);
  if (Object.keys(definition.columns).length === 0) fail("a table needs columns");
  for (const name of definition.key) {
    if (named("key", name).isNullable) fail(`key column "${name}" may not be nullable`);
  }
  for (const columns of definition.unique) {
    if (columns.length === 0) fail("a unique set of columns is empty");
    for (const name of columns) named("unique", name);
  }
  for (const name of definition.partitionBy) {
    if (typeof named("partition", name).type !== "string")
      fail(`cannot partition by "${name}": it is nested`);
  }
  checkFreshness(definition, named, fail);
  for (const [name, { sql }] of Object.entries(definition.checks)) {
    // A dot would let it be taken for the check of a column.
    if (!/^\w+$/.test(name)) fail(`check "${name}": a name is letters, digits and _`);
    if (sql.trim() === "") fail(`check "${name}" has no SQL`);
  }
  for (const [name, column] of Object.entries(definition.columns)) checkColumn(name, column, fail);
}

function checkFreshness({ freshness }: Definition, named: Named, fail: Fail): void {
  if (freshness === undefined) return;
  const { column, within } = freshness;
  const { type } = named("freshness", column);
  if (type !== "timestamp" && type !== "date") {
    fail(`freshness column "${column}" must be a timestamp or a date`);
  }
  if (!(within > 0)) fail(`freshness within ${within}: must be a number of minutes above 0`);
}

function checkColumn(name: string, column: Column, fail: Fail): void {
  const refused = refusedIn(column.value);
  if (refused !== undefined) fail(`column "${name}" uses ${refused}`);
  if (column.defaultValue === undefined) return;
  const result = column.value.safeParse(column.defaultValue);
  if (!result.success) {
    fail(`the default of column "${name}" breaks its own check: ${result.error.issues[0]?.message}`);
  }
}
