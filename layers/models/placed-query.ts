/** A model's query with one column more: which change of bronze a row was made of. */
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import type { Model } from "./planned-model.ts";
import { nodeOf, nodesOf, parseQuery, queryText, type SyntaxNode, within } from "./syntax.ts";

/** The column, of the relation that the query reads and of what it gives. */
export const PLACE = "_ingot_place";

/** The query, which gives `PLACE` besides. Undefined where it is none of a form in which that can be told. */
export async function placedSql(
  duckdb: DuckDb,
  { sql, references }: Pick<Model, "sql" | "references">,
): Promise<string | undefined> {
  const node = await parseQuery(duckdb, sql);
  if (node === undefined || [...within(node)].some(multiplies)) return undefined;
  const placed = placedNode(node, references[0] ?? "");
  return placed === undefined ? undefined : queryText(duckdb, placed);
}

/** Whether there may be changes that no row is made of. */
export async function dropsRows(duckdb: DuckDb, { sql }: Pick<Model, "sql">): Promise<boolean> {
  const nodes = [...within(await parseQuery(duckdb, sql))];
  return nodes.some(
    ({ where_clause, qualify }) => nodeOf(where_clause) !== undefined || nodeOf(qualify) !== undefined,
  );
}

const multiplies = ({ class: kind, function_name }: SyntaxNode): boolean =>
  kind === "FUNCTION" && /^(unnest|generate_subscripts)$/i.test(String(function_name));

function placedNode(node: SyntaxNode, reference: string): SyntaxNode | undefined {
  const from = nodeOf(node.from_table);
  const ctes = nodesOf(nodeOf(node.cte_map)?.map);
  if (node.type !== "SELECT_NODE" || from === undefined || ctes.length > 0) return undefined;
  const source = placedSource(from, reference);
  if (source === undefined) return undefined;
  // A star gives the column too: of columns with one name, the first is meant. Order tells nothing, and may count columns.
  return {
    ...node,
    from_table: source,
    select_list: [PLACE_COLUMN, ...nodesOf(node.select_list)],
    modifiers: [],
  };
}

function placedSource(from: SyntaxNode, reference: string): SyntaxNode | undefined {
  if (from.type === "BASE_TABLE")
    return `${from.schema_name}.${from.table_name}` === reference ? from : undefined;
  if (from.type !== "SUBQUERY") return undefined;
  const statement = nodeOf(from.subquery);
  const inner = nodeOf(statement?.node);
  const placed = inner === undefined ? undefined : placedNode(inner, reference);
  return placed === undefined ? undefined : { ...from, subquery: { ...statement, node: placed } };
}

const PLACE_COLUMN: SyntaxNode = {
  class: "COLUMN_REF",
  type: "COLUMN_REF",
  alias: PLACE,
  query_location: 0,
  column_names: [PLACE],
};
