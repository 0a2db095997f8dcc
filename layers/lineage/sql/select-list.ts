/** The columns that a select list gives: names, stars, `COLUMNS(…)`. */

import { type Origins, unite } from "../origin.ts";
import { type Analysis, originsOf } from "./expression.ts";
import { type Relation, type RelationColumn, sameName } from "./relation.ts";
import { findSource, type Scope, withAliases } from "./scope.ts";
import { below, child, children, type Node, text, texts } from "./syntax-tree.ts";

/** Columns of a select list, and the scope that knows their names too. */
export function selectList(
  items: readonly Node[],
  from: Scope,
  analysis: Analysis,
): { columns: RelationColumn[]; others: Relation["others"]; scope: Scope } {
  const columns: RelationColumn[] = [];
  let scope = from;
  let others: Relation["others"];
  for (const item of items) {
    const star = findStar(item);
    if (star) {
      const expanded = expandStar(star, scope, analysis);
      others = expanded.others ?? others;
      for (const column of expanded.columns) {
        const inner = { ...scope, star: column.origins };
        const origins = item === star ? column.origins : originsOf(item, inner, analysis);
        columns.push({ name: text(item, "alias") || column.name, origins });
      }
    } else {
      const column = { name: nameOf(item), origins: originsOf(item, scope, analysis) };
      columns.push(column);
      if (text(item, "alias") !== "") scope = withAliases(scope, [[column.name, column.origins]]);
    }
  }
  return { columns, others, scope };
}

/** The star of an item: the item itself, or `COLUMNS(…)` somewhere in it. */
function findStar(node: Node): Node | undefined {
  if (text(node, "class") === "STAR") return node;
  // A subquery has stars of its own.
  if (text(node, "class") === "SUBQUERY") return undefined;
  for (const inner of below(node)) {
    const found = findStar(inner);
    if (found) return found;
  }
  return undefined;
}

function expandStar(
  star: Node,
  scope: Scope,
  analysis: Analysis,
): { columns: RelationColumn[]; others: Relation["others"] } {
  const qualifier = text(star, "relation_name");
  const named = qualifier === "" ? undefined : findSource(scope, [qualifier]);
  const sources = qualifier === "" ? scope.sources : named ? [named] : [];
  const merged = qualifier === "" ? scope.merged : [];
  const isMerged = (name: string) => merged.some((column) => sameName(column.name, name));
  const excluded = [
    ...texts(star, "exclude_list"),
    ...children(star, "qualified_exclude_list").map((n) => text(n, "column")),
  ];
  const matches = selector(star);
  const own = sources.flatMap(({ relation }) => relation.columns.filter(({ name }) => !isMerged(name)));
  const columns = [...merged, ...own]
    .filter(({ name }) => matches(name) && !excluded.some((other) => sameName(other, name)))
    .map((column) => rewritten(star, column, scope, analysis));
  const open = sources.flatMap(({ relation }) => relation.others ?? []);
  return {
    columns,
    others: open.length === 0 ? undefined : (name) => unite(...open.map((other) => other(name))),
  };
}

/** `REPLACE` and `RENAME`. */
function rewritten(star: Node, column: RelationColumn, scope: Scope, analysis: Analysis): RelationColumn {
  const replacement = children(star, "replace_list").find((entry) =>
    sameName(text(entry, "key"), column.name),
  );
  const value = replacement && child(replacement, "value");
  const renaming = children(star, "rename_list").find((entry) =>
    sameName(text(child(entry, "key") ?? {}, "column"), column.name),
  );
  return {
    name: renaming ? text(renaming, "value") : column.name,
    origins: value ? originsOf(value, scope, analysis) : column.origins,
  };
}

/** Which names `COLUMNS(…)` takes. A pattern is tried; a lambda is taken for all. */
function selector(star: Node): (name: string) => boolean {
  const argument = child(star, "expr");
  const constant = argument && child(argument, "value");
  const pattern = constant?.value;
  if (typeof pattern !== "string") return () => true;
  try {
    const expression = new RegExp(pattern);
    return (name) => expression.test(name);
  } catch {
    // RE2 knows signs that JavaScript does not.
    return () => true;
  }
}

/** The name that DuckDB gives a column which was not given one; empty where that is the text of an expression. */
function nameOf(item: Node): string {
  return text(item, "alias") || (texts(item, "column_names").at(-1) ?? "");
}

/** Origins of an item that GROUP BY or ORDER BY names by its place, from 1. */
export function itemAt(node: Node, columns: readonly RelationColumn[]): Origins | undefined {
  const value = text(node, "class") === "CONSTANT" ? child(node, "value")?.value : undefined;
  return typeof value === "number" ? columns[value - 1]?.origins : undefined;
}
