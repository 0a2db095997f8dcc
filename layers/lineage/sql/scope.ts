/** What names mean at a place of a query. */
import { type Origins, through, unite } from "../origin.ts";
import { allOrigins, columnOf, type Relation, type RelationColumn, sameName } from "./relation.ts";

/** A relation of a FROM clause under the names that it can be called by. */
export interface Source {
  /** `["orders"]` for an alias, `["silver", "orders"]` for a table without one. */
  readonly path: readonly string[];
  readonly relation: Relation;
}

/** Relations that a query calls by one name: CTEs. */
export type Ctes = ReadonlyMap<string, Relation>;

export interface Scope {
  readonly sources: readonly Source[];
  /** Columns that a join has once for both of its sides (`USING`); they come first in `*`. */
  readonly merged: readonly RelationColumn[];
  /** Names of the select list, which DuckDB lets the query's other clauses use; parameters of a lambda. */
  readonly aliases: ReadonlyMap<string, Origins>;
  readonly ctes: Ctes;
  /** The column that stands for `COLUMNS(…)` while a select list is gone through. */
  readonly star?: Origins;
  /** The query around this one, whose columns a correlated subquery may name. */
  readonly parent: Scope | undefined;
}

export const emptyScope = (ctes: Ctes, parent: Scope | undefined): Scope => ({
  sources: [],
  merged: [],
  aliases: new Map(),
  ctes,
  parent,
});

/** The same place with more names. */
export function withAliases(scope: Scope, names: Iterable<readonly [string, Origins]>): Scope {
  const aliases = new Map(scope.aliases);
  for (const [name, origins] of names) aliases.set(name.toLowerCase(), origins);
  return { ...scope, aliases };
}

/**
 * Origins of what a name with its qualifiers means: a column, a field of a column, a whole row. Columns that are
 * known come before those that a table without known columns may have. Undefined where it means nothing.
 */
export function resolve(scope: Scope, names: readonly string[]): Origins | undefined {
  return climb(scope, (at) => listed(at, names)) ?? climb(scope, (at) => guessed(at, names));
}

function climb(scope: Scope, look: (scope: Scope) => Origins | undefined): Origins | undefined {
  for (let at: Scope | undefined = scope; at !== undefined; at = at.parent) {
    const found = look(at);
    if (found !== undefined) return found;
  }
  return undefined;
}

function listed(scope: Scope, names: readonly string[]): Origins | undefined {
  for (let length = names.length - 1; length > 0; length--) {
    const source = findSource(scope, names.slice(0, length));
    const column = names[length] ?? "";
    const found = source && (columnOf(source.relation, column) ?? source.relation.others?.(column));
    if (found) return found;
  }
  const [name = ""] = names;
  const merged = scope.merged.find((column) => sameName(column.name, name));
  if (merged) return merged.origins;
  for (const { relation } of scope.sources) {
    const found = columnOf(relation, name);
    if (found) return found;
  }
  const alias = scope.aliases.get(name.toLowerCase());
  if (alias) return alias;
  const row = findSource(scope, names.slice(0, 1))?.relation;
  return row && through("transformation", unite(allOrigins(row), row.others ? row.tables : []));
}

function guessed(scope: Scope, names: readonly string[]): Origins | undefined {
  const open = scope.sources.flatMap(({ relation }) => relation.others ?? []);
  return open.length === 0 ? undefined : unite(...open.map((others) => others(names[0] ?? "")));
}

/** The relation that these qualifiers name: its alias, or the end of a table's full name. */
export function findSource(scope: Scope, qualifiers: readonly string[]): Source | undefined {
  return scope.sources.find(({ path }) => {
    const end = path.slice(-qualifiers.length);
    return end.length === qualifiers.length && end.every((part, i) => sameName(part, qualifiers[i] ?? ""));
  });
}
