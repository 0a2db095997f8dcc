/** What a query reads: tables, joined by inner and left joins. */
import { columnNames, mapNode, nodeOf, type SyntaxNode, within } from "../syntax.ts";

/** A table where the query names it; a table that is named twice is two leaves. */
export interface Leaf {
  /** `silver.orders` */
  readonly reference: string;
  /** By which the query's expressions know it. */
  readonly name: string;
  readonly node: SyntaxNode;
}

export interface Join {
  /** `left`: rows of the left side without a match stay, the right side null. */
  readonly kind: "inner" | "left";
  readonly left: JoinTree;
  readonly right: JoinTree;
  readonly node: SyntaxNode;
}

export type JoinTree = Leaf | Join;

export const isJoin = (tree: JoinTree): tree is Join => "left" in tree;

const JOINS: Readonly<Record<string, Join["kind"]>> = { INNER: "inner", LEFT: "left" };
export const LAYERS: readonly string[] = ["bronze", "silver", "gold"];

/** The tree of a FROM clause, or why it is none. */
export function joinTree(from: SyntaxNode | undefined): JoinTree | string {
  if (from?.type === "BASE_TABLE") return leafOf(from);
  if (from?.type !== "JOIN") return `it reads ${String(from?.type ?? "nothing").toLowerCase()} beside tables`;
  const kind = JOINS[String(from.join_type)];
  const isPlain = from.ref_type === "REGULAR" || from.ref_type === "CROSS";
  if (kind === undefined || !isPlain) {
    return `it has a ${from.ref_type === "REGULAR" ? "" : `${String(from.ref_type)} `}${String(from.join_type)} join`;
  }
  const left = joinTree(nodeOf(from.left));
  const right = joinTree(nodeOf(from.right));
  if (typeof left === "string") return left;
  if (typeof right === "string") return right;
  return { kind, left, right, node: from };
}

function leafOf(node: SyntaxNode): Leaf | string {
  const { schema_name, table_name, alias } = node;
  if (!LAYERS.includes(String(schema_name))) return `it reads ${String(table_name)}, which is in no layer`;
  const isRenamed = Array.isArray(node.column_name_alias) && node.column_name_alias.length > 0;
  if (node.sample !== null || node.at_clause !== null || isRenamed) {
    return `it reads ${String(table_name)} with a sample, a version or names for its columns`;
  }
  const name = typeof alias === "string" && alias !== "" ? alias : String(table_name);
  return { reference: `${String(schema_name)}.${String(table_name)}`, name, node };
}

export function leavesOf(tree: JoinTree): Leaf[] {
  return isJoin(tree) ? [...leavesOf(tree.left), ...leavesOf(tree.right)] : [tree];
}

export function joinsOf(tree: JoinTree): Join[] {
  return isJoin(tree) ? [...joinsOf(tree.left), ...joinsOf(tree.right), tree] : [];
}

/** Whether the table of a leaf has no other. */
export const isReadOnce = (tree: JoinTree, leaf: Leaf): boolean =>
  leavesOf(tree).filter(({ reference }) => reference === leaf.reference).length === 1;

/** Whether each joined row has a row of this leaf, and its table no other leaf. */
export function isAlwaysThere(tree: JoinTree, leaf: Leaf): boolean {
  const optional = joinsOf(tree).some((join) => join.kind === "left" && leavesOf(join.right).includes(leaf));
  return !optional && isReadOnce(tree, leaf);
}

interface ColumnOfLeaf {
  readonly leaf: Leaf;
  readonly column: string;
  readonly rest: readonly string[];
}

/** Columns by table, to tell which leaf an expression reads. */
export class Columns {
  private readonly leaves: readonly Leaf[];
  private readonly names: ReadonlyMap<string, ReadonlySet<string>>;

  /** `names`: the columns of each table, by reference. */
  constructor(leaves: readonly Leaf[], names: ReadonlyMap<string, readonly string[]>) {
    this.leaves = leaves;
    this.names = new Map(
      [...names].map(([reference, columns]) => [reference, new Set(columns.map((c) => c.toLowerCase()))]),
    );
  }

  has(leaf: Leaf, column: string): boolean {
    return this.names.get(leaf.reference)?.has(column.toLowerCase()) ?? false;
  }

  /** What a reference means, members of structs in `rest`; undefined where it is no column of a leaf. */
  find(names: readonly string[]): ColumnOfLeaf | undefined {
    const [first = "", second = ""] = names;
    const named = this.leaves.find((leaf) => leaf.name.toLowerCase() === first.toLowerCase());
    if (names.length > 1 && named) return { leaf: named, column: second, rest: names.slice(2) };
    const owner = this.leaves.find((leaf) => this.has(leaf, first));
    return owner === undefined ? undefined : { leaf: owner, column: first, rest: names.slice(1) };
  }

  /** The column that an expression is, and nothing else. */
  plain(expression: SyntaxNode): { readonly leaf: Leaf; readonly column: string } | undefined {
    const found = this.find(columnNames(expression) ?? []);
    return found?.rest.length === 0 ? found : undefined;
  }

  /** An expression whose references say of which leaf they are. */
  qualified(expression: SyntaxNode): SyntaxNode {
    return mapNode(expression, (node) => {
      const found = this.find(columnNames(node) ?? []);
      return found && { ...node, column_names: [found.leaf.name, found.column, ...found.rest] };
    });
  }

  /** The leaves that an expression reads. */
  readBy(expression: unknown): Set<Leaf> {
    const found = new Set<Leaf>();
    for (const node of within(expression)) {
      const leaf = this.find(columnNames(node) ?? [])?.leaf;
      if (leaf !== undefined) found.add(leaf);
    }
    return found;
  }

  /** The leaves that the condition of a join reads. */
  joinedBy(join: Join): Set<Leaf> {
    const found = this.readBy(join.node.condition);
    const using = Array.isArray(join.node.using_columns) ? join.node.using_columns.map(String) : [];
    for (const leaf of leavesOf(join)) if (using.some((column) => this.has(leaf, column))) found.add(leaf);
    return found;
  }
}
