/** FROM clauses over tables of a random graph: joins of some kinds, so that no join multiplies rows without bound. */
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { type Choices, Expressions, type Item, type ValueType } from "./random-expression.ts";

export interface TypedColumn {
  readonly name: string;
  readonly type: ValueType;
  readonly isNullable: boolean;
}

/** A table that models may read. */
export interface Relation {
  /** `silver.orders` */
  readonly reference: string;
  readonly columns: readonly TypedColumn[];
  /** Columns that name a row; none where rows may be equal. */
  readonly key: readonly string[];
}

/** A FROM clause with what stands beside it. */
export interface From {
  readonly sql: string;
  /** Conditions of joins that have to stand in the WHERE clause. */
  readonly where: readonly string[];
  readonly items: readonly Item[];
  /** Those on which the groups of an aggregate may depend. */
  readonly keyItems: readonly Item[];
  readonly relations: readonly Relation[];
  /** Whether no two rows have the same row of the first table, and each has one. */
  readonly isUnique: boolean;
}

export type JoinKind = "JOIN" | "LEFT JOIN" | "RIGHT JOIN" | "FULL JOIN" | "ANTI JOIN";
export const INNER_AND_LEFT: readonly [JoinKind, ...JoinKind[]] = ["LEFT JOIN", "JOIN"];

interface Leaf {
  readonly relation: Relation;
  readonly sql: string;
  readonly items: readonly Item[];
}

/** One table, by columns alone where these are asked for. */
export function fromOne(relation: Relation, alias?: string): From {
  const items = itemsOf(relation, alias);
  const sql = alias === undefined ? relation.reference : `${relation.reference} AS ${alias}`;
  return { sql, where: [], items, keyItems: items, relations: [relation], isUnique: true };
}

/** One table, or up to three of them joined. */
export function from(
  choices: Choices,
  relations: readonly [Relation, ...Relation[]],
  kinds: readonly [JoinKind, ...JoinKind[]],
): From {
  const count = choices.pick(1, 2, 2, 3);
  if (count === 1) return fromOne(choices.pick(...relations), choices.pick(undefined, "t0"));
  const leaves = Array.from({ length: count }, () => choices.pick(...relations)).map((relation, i) =>
    leafOf(relation, `t${i}`),
  );
  const [first, second, third] = leaves;
  if (first === undefined || second === undefined) throw new RangeError("no table to join");
  if (third !== undefined && isNamed(second) && isNamed(third) && choices.oneIn(3))
    return nested(choices, first, second, third);
  if (third === undefined && choices.oneIn(5)) return listed(choices, first, second);
  return joined(choices, first, leaves.slice(1), kinds);
}

/** `a JOIN b ON … LEFT JOIN c ON …` */
function joined(
  choices: Choices,
  first: Leaf,
  others: readonly Leaf[],
  kinds: readonly [JoinKind, ...JoinKind[]],
): From {
  let { sql, items } = first;
  const relations = [first.relation];
  let isUnique = true;
  for (const leaf of others) {
    const kind = choices.pick(...kinds);
    sql += ` ${kind} ${leaf.sql} ON ${condition(choices, items, leaf)}`;
    const left = kind === "RIGHT JOIN" || kind === "FULL JOIN" ? items.map(nullable) : items;
    const right = kind === "LEFT JOIN" || kind === "FULL JOIN" ? leaf.items.map(nullable) : leaf.items;
    items = kind === "ANTI JOIN" ? left : [...left, ...right];
    isUnique &&= isNamed(leaf) && kind !== "RIGHT JOIN" && kind !== "FULL JOIN";
    relations.push(leaf.relation);
    // What multiplies rows does so once.
    if (!isNamed(leaf)) break;
  }
  return { sql, where: [], items, keyItems: items, relations, isUnique };
}

/** `a, b WHERE …` */
function listed(choices: Choices, first: Leaf, second: Leaf): From {
  const items = [...first.items, ...second.items];
  const relations = [first.relation, second.relation];
  const where = [condition(choices, first.items, second)];
  return {
    sql: `${first.sql}, ${second.sql}`,
    where,
    items,
    keyItems: items,
    relations,
    isUnique: isNamed(second),
  };
}

/** `a LEFT JOIN (b JOIN c ON …) ON …` */
function nested(choices: Choices, first: Leaf, second: Leaf, third: Leaf): From {
  const [outer, inner] = choices.pick(
    ["LEFT JOIN", "JOIN"],
    ["LEFT JOIN", "LEFT JOIN"],
    ["JOIN", "LEFT JOIN"],
  );
  const right = `(${second.sql} ${inner} ${third.sql} ON ${condition(choices, second.items, third)})`;
  const sql = `${first.sql} ${outer} ${right} ON ${condition(choices, first.items, second)}`;
  const rest = [...second.items, ...(inner === "JOIN" ? third.items : third.items.map(nullable))];
  const items = [...first.items, ...(outer === "JOIN" ? rest : rest.map(nullable))];
  // Of two tables that may have no match together the tree does not show which groups they touch.
  const keyItems = outer === "JOIN" ? items : first.items;
  const relations = [first, second, third].map(({ relation }) => relation);
  return { sql, where: [], items, keyItems, relations, isUnique: true };
}

/** Equality on the key of the leaf where it is one column, else on some column; perhaps with something more. */
function condition(choices: Choices, items: readonly Item[], { relation, items: own }: Leaf): string {
  const left = new Expressions(choices, items);
  // Of a key of several columns one is enough: all of them seldom meet.
  const [first = ""] = relation.key;
  const name = isNamed({ relation }) ? first : choices.pick(...columnNames(relation), ...relation.key);
  const at = relation.columns.findIndex((column) => column.name === name);
  const { type, sql } = own[at] ?? { type: "long" as const, sql: "0" };
  const equal = [`${left.any(type, choices.pick(0, 0, 1))} = ${sql}`];
  if (choices.oneIn(4)) equal.push(new Expressions(choices, [...items, ...own]).predicate(0));
  return equal.join(" AND ");
}

function columnNames({ columns }: Relation): readonly [string, ...string[]] {
  const [first = "", ...others] = columns.map(({ name }) => name);
  return [first, ...others];
}

/** Whether a value of one column names a row. */
const isNamed = ({ relation }: Pick<Leaf, "relation">) => relation.key.length === 1;
const nullable = (item: Item): Item => ({ ...item, isNullable: true });

const itemsOf = ({ columns }: Relation, alias: string | undefined): Item[] =>
  columns.map(({ name, ...column }) => {
    const sql = alias === undefined ? identifier(name) : `${alias}.${identifier(name)}`;
    return { ...column, sql };
  });

const leafOf = (relation: Relation, alias: string): Leaf => ({
  relation,
  sql: `${relation.reference} AS ${alias}`,
  items: itemsOf(relation, alias),
});
