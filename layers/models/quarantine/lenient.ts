/**
 * A model's query in which a value that cannot be cast becomes NULL, and a column tells that one did. For rows of a
 * table that hold such a value: the others go on.
 */
import { duckdbType } from "../../../lakehouse/delta/schema.ts";
import type { DuckDb } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import { codeOf, messageOf } from "../../../lakehouse/errors.ts";
import { contractSchema } from "../contract.ts";
import type { Model } from "../planned-model.ts";
import {
  columnNames,
  mapNode,
  nodeOf,
  nodesOf,
  parseQuery,
  queryText,
  type SyntaxNode,
  within,
} from "../syntax.ts";

/** BOOLEAN: whether a value of the row could not be cast. */
export const UNCAST = "_ingot_uncast";

/** Whether a query of a model failed because of a value that could not be cast. */
export const isUncast = (error: unknown): boolean =>
  codeOf(error) === "MODEL_SQL" &&
  /Conversion Error|Invalid Input Error: Could not convert|Out of Range Error/.test(messageOf(error));

/** Rows of the model's query in the columns and types of its contract, `UNCAST`, and `others` of its columns. */
export async function lenientSql(
  duckdb: DuckDb,
  model: Pick<Model, "sql" | "contract">,
  others: readonly string[] = [],
): Promise<string> {
  const rows =
    (await withoutStrictCasts(duckdb, model.sql)) ?? `SELECT *, false AS ${UNCAST} FROM (${model.sql}\n)`;
  const { fields } = contractSchema(model.contract);
  const values = fields.map(
    (f) => `TRY_CAST(${identifier(f.name)} AS ${duckdbType(f.type)}) AS ${identifier(f.name)}`,
  );
  const failed = fields.map(
    (f) =>
      `(${identifier(f.name)} IS NOT NULL AND TRY_CAST(${identifier(f.name)} AS ${duckdbType(f.type)}) IS NULL)`,
  );
  return `SELECT ${[...values, ...others.map(identifier)].join(", ")}, (${[UNCAST, ...failed].join(" OR ")}) AS ${UNCAST} FROM (${rows})`;
}

/** The query with lenient casts in its select list; undefined where it is no plain SELECT, or has none to change. */
async function withoutStrictCasts(duckdb: DuckDb, sql: string): Promise<string | undefined> {
  const query = await parseQuery(duckdb, sql);
  const isGrouped = Array.isArray(query?.group_expressions) && query.group_expressions.length > 0;
  if (query === undefined || query.type !== "SELECT_NODE" || isGrouped) return undefined;
  const failures: SyntaxNode[] = [];
  const list = nodesOf(query.select_list).map((item) => lenient(item, failures));
  const [first, ...others] = failures;
  if (first === undefined) return undefined;
  const any = others.length === 0 ? first : conjunction("CONJUNCTION_OR", failures);
  const where = nodeOf(query.where_clause);
  // Where the condition cannot be decided for such a value, the row is set aside, not passed over.
  const decided =
    where !== undefined && readsResult(where, nodesOf(query.select_list))
      ? { ...query, where_clause: orUndecided(where, any) }
      : query;
  return queryText(duckdb, { ...decided, select_list: [...list, { ...any, alias: UNCAST }] });
}

/** Whether a condition is about what the select list computes: a column that it reads itself is the table's. */
function readsResult(where: SyntaxNode, list: readonly SyntaxNode[]): boolean {
  const lastName = (node: SyntaxNode) => columnNames(node)?.at(-1)?.toLowerCase();
  const read = new Set([...within(list)].map(lastName));
  const names = list.map(({ alias }) => String(alias).toLowerCase()).filter((name) => !read.has(name));
  return [...within(where)].some((node) => names.includes(lastName(node) ?? "*"));
}

/** Whether a cast stands where it is not always computed; there it stays as it is. */
const isConditional = ({ class: kind, type }: SyntaxNode) =>
  ["CASE", "LAMBDA", "SUBQUERY", "WINDOW"].includes(String(kind)) || type === "OPERATOR_COALESCE";

function lenient(expression: SyntaxNode, failures: SyntaxNode[]): SyntaxNode {
  return mapNode(expression, (node) => {
    if (isConditional(node)) return node;
    if (node.class !== "CAST" || node.try_cast === true) return undefined;
    const inner = nodeOf(node.child);
    if (inner === undefined) return node;
    const child = lenient(inner, failures);
    const cast = { ...node, child, try_cast: true };
    failures.push(
      conjunction("CONJUNCTION_AND", [
        operator("OPERATOR_IS_NOT_NULL", { ...child, alias: "" }),
        operator("OPERATOR_IS_NULL", { ...cast, alias: "" }),
      ]),
    );
    return cast;
  });
}

const orUndecided = (where: SyntaxNode, failed: SyntaxNode): SyntaxNode =>
  conjunction("CONJUNCTION_OR", [
    where,
    conjunction("CONJUNCTION_AND", [failed, operator("OPERATOR_IS_NULL", where)]),
  ]);

const conjunction = (type: string, children: readonly SyntaxNode[]): SyntaxNode => ({
  class: "CONJUNCTION",
  type,
  alias: "",
  query_location: 0,
  children,
});

const operator = (type: string, child: SyntaxNode): SyntaxNode => ({
  class: "OPERATOR",
  type,
  alias: "",
  query_location: 0,
  children: [child],
});
