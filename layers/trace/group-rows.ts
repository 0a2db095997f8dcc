/** The rows of its inputs that groups of an aggregate are made of, by the query's own joins and conditions. */
import { scannable, scanSql } from "../../lakehouse/delta/scan.ts";
import { duckdbType, type StructField } from "../../lakehouse/delta/schema.ts";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
import { inputFilters } from "../models/aggregate/input-filters.ts";
import { Columns, isJoin, type JoinTree, type Leaf, leavesOf } from "../models/aggregate/join-tree.ts";
import { keyValues } from "../models/aggregate/key-filter.ts";
import { keyExpressions } from "../models/aggregate/touched-sql.ts";
import { contractSchema } from "../models/contract.ts";
import type { ModelRun } from "../models/run.ts";
import { nodesOf, parseQuery, queryText, type SyntaxNode } from "../models/syntax.ts";
import { FILE_PATH } from "./bronze-origin.ts";

/** Column of an input's view: where a left join finds no match it is null as all others are, and no row was there. */
const HERE = "_ingot_is_here";

/**
 * For each input the name of a table of the session: its rows, each once, that the groups in `rows` are made of.
 * Undefined where the query does not show its joins.
 */
export async function groupRows(
  run: ModelRun,
  rows: string,
  prefix: string,
): Promise<ReadonlyMap<string, string> | undefined> {
  const { model, session, inputs } = run;
  const { groups } = model;
  if (groups === undefined) return undefined;
  const names = [...inputs].map(([name, input]) => [name, input.schema.fields.map((f) => f.name)] as const);
  const leaves = leavesOf(groups.tree);
  const columns = new Columns(leaves, new Map(names));
  const fields = contractSchema(model.contract).fields.filter((f) => model.contract.key.includes(f.name));
  await viewMarked(run, new Map());
  const values = await keyValues(session, rows, fields);
  await viewMarked(run, await inputFilters(run, groups, columns, values));
  const keys = keyExpressions(groups, columns);
  const where = groups.where === undefined ? null : columns.qualified(groups.where);
  const found = new Map<string, string>();
  for (const leaf of leaves) {
    const list = fields.flatMap(({ name }, i) => {
      const expression = keys.get(name);
      return expression === undefined ? [] : [{ ...expression, alias: keyName(i) }];
    });
    const star = await starOf(run, leaf);
    const text = await queryText(run.target.duckdb, {
      ...star,
      select_list: [...nodesOf(star.select_list), ...list],
      from_table: fromClause(groups.tree),
      where_clause: where,
    });
    const excluded = [HERE, ...fields.map((_, i) => keyName(i))].map(identifier).join(", ");
    const sql = `SELECT DISTINCT * EXCLUDE (${excluded}) FROM (${text}) AS found
      WHERE ${HERE} AND EXISTS (SELECT 1 FROM ${rows} AS g WHERE ${sameKey(fields)})`;
    const known = found.get(leaf.reference);
    const relation = known ?? `${prefix}_${found.size}`;
    // A table that the query names twice has the rows of both.
    await session.run(
      known === undefined
        ? `CREATE TABLE ${relation} AS ${sql}`
        : `INSERT INTO ${relation} (${sql}) EXCEPT FROM ${relation}`,
    );
    found.set(leaf.reference, relation);
  }
  return found;
}

const keyName = (i: number): string => `_ingot_key_${i}`;

async function viewMarked(
  { session, inputs, tables }: ModelRun,
  filters: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [reference, input] of inputs) {
    const [layer = "", name = ""] = reference.split(".");
    const table = tables.get(reference);
    if (table === undefined) continue;
    const rows = await scanSql(table.store, scannable(input), { filePath: FILE_PATH });
    const where = filters.get(reference) ?? "true";
    await session.view(layer, name, `SELECT *, true AS ${HERE} FROM (${rows}) WHERE ${where}`);
  }
}

/** A SELECT of all columns of a leaf. */
async function starOf({ target }: ModelRun, { name }: Leaf): Promise<SyntaxNode> {
  const node = await parseQuery(target.duckdb, `SELECT ${identifier(name)}.* FROM ${identifier(name)}`);
  if (node === undefined) throw new RangeError(`${name} is no name of a table`);
  return node;
}

/** The joins, each table under the name by which expressions know it. */
function fromClause(tree: JoinTree): SyntaxNode {
  return isJoin(tree)
    ? { ...tree.node, left: fromClause(tree.left), right: fromClause(tree.right) }
    : { ...tree.node, alias: tree.name };
}

const sameKey = (fields: readonly StructField[]): string =>
  fields
    .map(
      (f, i) =>
        `g.${identifier(f.name)} IS NOT DISTINCT FROM TRY_CAST(found.${keyName(i)} AS ${duckdbType(f.type)})`,
    )
    .join(" AND ");
