/**
 * Which rows of a join a change touches. A group changes only where one of its joined rows came or went, and such a
 * row has in it a row of an input that came or went: the join is made with the changed rows in place of the input,
 * once as the other inputs were and once as they are.
 */

import { columnNames, mapNode, type SyntaxNode } from "../syntax.ts";
import { type Columns, isJoin, type Join, type JoinTree, joinsOf, type Leaf, leavesOf } from "./join-tree.ts";

/** Schemas of the session in which an input has a relation of rows, named by its reference. */
export const ROWS = {
  /** Rows that a change took, and those that it brought; both. */
  gone: "_ingot_gone",
  came: "_ingot_came",
  changed: "_ingot_changed",
  /** All rows before the change. */
  old: "_ingot_old",
} as const;

/** `old`: rows that went, joined as things were; `new`: rows that came, as things are. */
export type State = "old" | "new";

/** Name of the changed rows of a table that the join reads as well. */
const CHANGED = "_ingot_changed_rows";

export class TouchedTree {
  private readonly tree: JoinTree;
  private readonly columns: Columns;
  /** Leaves on which the keys depend, by what they read or by which rows a join leaves. */
  private readonly needed: ReadonlySet<Leaf>;
  /** Leaves whose columns may be null because nothing matched. */
  private readonly nullable: ReadonlySet<Leaf>;

  constructor(tree: JoinTree, columns: Columns, keys: readonly SyntaxNode[]) {
    this.tree = tree;
    this.columns = columns;
    this.nullable = new Set(
      joinsOf(tree).flatMap((join) => (join.kind === "left" ? leavesOf(join.right) : [])),
    );
    this.needed = this.closed(columns.readBy(keys));
  }

  /**
   * Whether the keys depend on tables that may have no match, and this is one: then a row that goes or comes also
   * brings or takes the joined row without it.
   */
  decides(leaf: Leaf): boolean {
    return this.nullable.has(leaf) && this.keysDependOnMatches;
  }

  /**
   * The FROM clause that gives the joined rows of a state with changed rows of a leaf; of a leaf that decides, all of
   * the rows that it is joined to. Undefined where the tree does not show them: a leaf that decides and is not the
   * only table that its join may leave null.
   */
  fromClause(leaf: Leaf, state: State): SyntaxNode | undefined {
    if (!this.decides(leaf)) {
      const kept = this.keysDependOnMatches ? undefined : this.closed(new Set([...this.needed, leaf]));
      return this.rendered(this.tree, leaf, state, kept);
    }
    const [join, ...others] = joinsOf(this.tree).filter(
      ({ kind, right }) => kind === "left" && leavesOf(right).includes(leaf),
    );
    if (join === undefined || others.length > 0 || join.right !== leaf) return undefined;
    // The changed rows have the columns of their table: each reference must say which of the two it means.
    return this.columns.qualified(this.met(this.tree, join, leaf, state));
  }

  private get keysDependOnMatches(): boolean {
    return [...this.nullable].some((leaf) => this.needed.has(leaf));
  }

  /** With the leaves of all joins that decide whether a row of these is there. */
  private closed(leaves: ReadonlySet<Leaf>): Set<Leaf> {
    const found = new Set(leaves);
    const joins = joinsOf(this.tree);
    const outer = joins.filter(({ kind }) => kind === "left");
    for (let size = -1; size !== found.size; ) {
      size = found.size;
      for (const join of joins) {
        // What happens inside of a side that may be absent is of no concern where nothing of that side is.
        const sides = outer.filter((o) => o === join || joinsOf(o.right).includes(join));
        if (!sides.every((side) => leavesOf(side.right).some((leaf) => found.has(leaf)))) continue;
        for (const leaf of this.columns.joinedBy(join)) found.add(leaf);
      }
    }
    return found;
  }

  /**
   * The tree with the changed rows in place of the leaf: a left join to it becomes an inner one. Left joins to tables
   * that are not in `kept` are left out.
   */
  private rendered(
    tree: JoinTree,
    leaf: Leaf,
    state: State,
    kept: ReadonlySet<Leaf> | undefined,
  ): SyntaxNode {
    if (!isJoin(tree)) {
      return tree === leaf ? relation(tree, state === "old" ? ROWS.gone : ROWS.came) : relation(tree, state);
    }
    const isDropped =
      tree.kind === "left" && kept !== undefined && !leavesOf(tree.right).some((other) => kept.has(other));
    const left = this.rendered(tree.left, leaf, state, kept);
    if (isDropped) return left;
    const right = this.rendered(tree.right, leaf, state, kept);
    const kind = leavesOf(tree.right).includes(leaf) ? "INNER" : tree.node.join_type;
    return { ...tree.node, join_type: kind, left, right };
  }

  /** The tree with no more of a join's left side than the rows that meet a changed row of the leaf, its right side. */
  private met(tree: JoinTree, join: Join, leaf: Leaf, state: State): SyntaxNode {
    if (!isJoin(tree)) return relation(tree, state);
    const left = this.met(tree.left, join, leaf, state);
    const right = this.met(tree.right, join, leaf, state);
    if (tree !== join) return { ...tree.node, left, right };
    const changed = { ...relation(leaf, ROWS.changed), alias: CHANGED };
    const condition = mapNode({ condition: join.node.condition }, (node) => {
      const found = this.columns.find(columnNames(node) ?? []);
      const names = found?.leaf === leaf ? [CHANGED, found.column, ...found.rest] : undefined;
      return names && { ...node, column_names: names };
    }).condition;
    const meeting = { ...join.node, condition, join_type: "INNER", left, right: changed };
    return { ...join.node, left: meeting, right };
  }
}

function relation(leaf: Leaf, from: State | (typeof ROWS)[keyof typeof ROWS]): SyntaxNode {
  // As it is now an input stands under its own name.
  if (from === "new") return { ...leaf.node, alias: leaf.name };
  const schema = from === "old" ? ROWS.old : from;
  return { ...leaf.node, schema_name: schema, table_name: leaf.reference, alias: leaf.name };
}
