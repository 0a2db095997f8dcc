/** Random models of groups: one SELECT with GROUP BY, and windows over groups that say themselves what a change touches. */
import { aggregate } from "../../layers/definition/model.ts";
import { type Choices, Expressions, TYPES, type ValueType } from "./random-expression.ts";
import { type From, from, fromOne, INNER_AND_LEFT, type JoinKind, type Relation } from "./random-join.ts";
import { asInput, Outputs } from "./random-rows.ts";

type Relations = readonly [Relation, ...Relation[]];

/** A query of groups: its columns, and those that name a group. */
interface Grouped {
  readonly outputs: Outputs;
  readonly key: readonly string[];
  /** From FROM on. */
  readonly rest: string;
}

/** SELECT … GROUP BY over joined tables. */
function grouped(choices: Choices, source: From): Grouped {
  const outputs = new Outputs();
  // What was joined last may be missing: groups by that are the ones that are hard to follow.
  const last = source.keyItems.slice(-(source.relations.at(-1)?.columns.length ?? 0));
  const keys = new Expressions(choices, [...last, ...last, ...source.keyItems]);
  const values = new Expressions(choices, source.items);
  const conditions = [...source.where];
  const addKey = () => {
    const type = choices.pick("text", "date", "long", "timestamp");
    const isGuarded = choices.oneIn(4);
    const sql = isGuarded ? keys.any(type) : keys.present(type);
    if (isGuarded) conditions.push(`${sql} IS NOT NULL`);
    return outputs.add(type, sql, { isNullable: false });
  };
  const addValue = () => outputs.add(...aggregated(choices, values));
  // Keys are not always the first columns.
  const isLast = choices.oneIn(4);
  if (isLast) addValue();
  const key = Array.from({ length: choices.pick(1, 1, 2) }, addKey);
  for (let i = choices.pick(1, 2); i > 0; i--) addValue();
  if (choices.oneIn(4)) conditions.push(values.predicate());
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  const places = key.map((column) => outputs.list.indexOf(column) + 1);
  const groups = choices.pick("ALL", places.join(", "), key.map(({ sql }) => sql).join(", "));
  const having = choices.oneIn(4)
    ? ` HAVING ${choices.pick("count(*) > 1", `max(${values.any("long", 0)}) >= 1`)}`
    : "";
  const order = choices.oneIn(5) ? " ORDER BY 1" : "";
  const rest = `FROM ${source.sql}${where} GROUP BY ${groups}${having}${order}`;
  return { outputs, key: key.map(({ name }) => name), rest };
}

/** One figure of a group; whatever the order of the rows, it is the same. */
function aggregated(choices: Choices, values: Expressions): [ValueType, string, { isNullable: boolean }] {
  const type = choices.pick(...TYPES);
  const [of, sql] = choices.pick<() => readonly [ValueType, string]>(
    () => ["long", "count(*)"],
    () => ["long", `sum(${values.any("long")})`],
    () => ["long", `count(DISTINCT ${values.any(type, 1)})`],
    () => [type, `${choices.pick("min", "max")}(${values.any(type)})`],
    () => ["double", `median(${values.any("long")})`],
    () => ["long", `count(*) FILTER (WHERE ${values.predicate(1)})`],
    () => ["double", `avg(${values.any("long", 1)})`],
  )();
  return [of, sql, { isNullable: !sql.startsWith("count") }];
}

export function groupsModel(choices: Choices, name: string, relations: Relations) {
  const { outputs, key, rest } = grouped(choices, from(choices, relations, INNER_AND_LEFT));
  const layer = choices.pick("gold", "silver");
  const definition = aggregate(outputs.contract(choices, name, key));
  const sql = `SELECT ${outputs.sql} ${rest}`;
  return { layer, name, definition, sql, ...asInput(layer, name, outputs, key) } as const;
}

/** Groups that look at others: at that of so many days before, at all of a span, at the one before in their part. */
export function windowsModel(choices: Choices, name: string, relations: Relations) {
  const source = fromOne(choices.pick(...relations));
  const [{ reference }] = source.relations as Relations;
  const values = new Expressions(choices, source.items);
  const type = choices.pick("long", "date");
  const [k, p, n] = [values.present(type), values.present("text"), choices.pick(1, 2)];
  const where = choices.oneIn(3) ? ` WHERE ${values.predicate()}` : "";
  const groups = `d AS (SELECT ${k} AS k, ${p} AS p, count(*) AS v FROM ${reference}${where} GROUP BY ALL)`;
  const days = `e AS (SELECT k, sum(v) AS v FROM d GROUP BY k)`;
  const touchesOf = (key: string) => ({ [reference]: `SELECT ${key} FROM changed` });
  const form = choices.pick(
    {
      key: ["k"],
      sql: `WITH ${groups}, ${days} SELECT e.k, e.v, f.v AS w FROM e LEFT JOIN e AS f ON f.k = e.k - ${n}`,
      touches: touchesOf(`${k} AS k`),
      reach: `SELECT k + ${n} AS k FROM touched`,
    },
    {
      key: ["k"],
      sql: `WITH ${groups}, ${days} SELECT k, v, sum(v) OVER (ORDER BY k RANGE BETWEEN ${spanOf(type, n)} PRECEDING AND CURRENT ROW) AS w FROM e`,
      touches: touchesOf(`${k} AS k`),
      reach: `SELECT k + i AS k FROM touched, (SELECT unnest([1, ${n}])::INTEGER AS i)`,
    },
    {
      key: ["k", "p"],
      sql: `WITH ${groups} SELECT k, p, v, lag(v) OVER (PARTITION BY p ORDER BY k) AS w FROM d`,
      touches: touchesOf(`${k} AS k, ${p} AS p`),
      reach: `SELECT ${k} AS k, ${p} AS p FROM ${reference} WHERE ${p} IN (SELECT p FROM touched)`,
    },
  );
  const outputs = new Outputs();
  outputs.add(type, "k", { name: "k", isNullable: false });
  if (form.key.includes("p")) outputs.add("text", "p", { name: "p", isNullable: false });
  outputs.add("long", "v", { name: "v", isNullable: false });
  outputs.add("long", "w", { name: "w" });
  const { key, sql, touches, reach } = form;
  const definition = aggregate(outputs.contract(choices, name, key), { touches, reach });
  return { layer: "gold", name, definition, sql, ...asInput("gold", name, outputs, key) } as const;
}

const spanOf = (type: ValueType, n: number) => (type === "date" ? `INTERVAL ${n} DAY` : String(n));

/** Joins that a model which is recomputed whole may have. */
const ALL_JOINS: readonly [JoinKind, ...JoinKind[]] = [
  "LEFT JOIN",
  "JOIN",
  "FULL JOIN",
  "ANTI JOIN",
  "RIGHT JOIN",
];

/** A query of anything: rows of a table by its key, groups, several tables one after the other, or rows without key. */
export function whole(
  choices: Choices,
  relations: Relations,
): { outputs: Outputs; key: readonly string[]; sql: string } {
  const source = from(choices, relations, ALL_JOINS);
  const first = source.relations[0];
  const named = first !== undefined && first.key.length > 0 && source.isUnique;
  const form = choices.pick("rows", "groups", "union", "figure");
  if (form === "groups") {
    const { outputs, key, rest } = grouped(choices, source);
    return { outputs, key, sql: `SELECT ${outputs.sql} ${rest}` };
  }
  const outputs = new Outputs();
  const values = new Expressions(choices, source.items);
  const conditions = [...source.where, ...(choices.oneIn(3) ? [values.predicate()] : [])];
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  if (form === "figure") {
    outputs.add(...aggregated(choices, values));
    return { outputs, key: [], sql: `SELECT ${outputs.sql} FROM ${source.sql}${where}` };
  }
  const types = Array.from({ length: choices.pick(1, 2) }, () => choices.pick(...TYPES));
  if (form === "union" || !named) {
    for (const type of types) outputs.add(type, values.any(type));
    const other = fromOne(choices.pick(...relations));
    const others = types.map((type) => new Expressions(choices, other.items).any(type)).join(", ");
    const sql = `SELECT ${choices.pick("", "DISTINCT ")}${outputs.sql} FROM ${source.sql}${where}`;
    const union = form === "union" ? ` UNION ALL SELECT ${others} FROM ${other.sql}` : "";
    return { outputs, key: [], sql: `${sql}${union}` };
  }
  const key = first.columns.flatMap((column, i) => {
    const item = source.items[i];
    if (item === undefined || !first.key.includes(column.name)) return [];
    return outputs.add(column.type, item.sql, { isNullable: false });
  });
  for (const type of types) outputs.add(type, values.any(type));
  const order = key.map(({ sql }) => sql).join(", ");
  if (choices.oneIn(2)) outputs.add("long", `row_number() OVER (ORDER BY ${order})`, { isNullable: false });
  const sql = `SELECT ${outputs.sql} FROM ${source.sql}${where}`;
  return { outputs, key: key.map(({ name }) => name), sql };
}
