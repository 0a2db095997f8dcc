/** Models that shape one bronze table row by row: what is made of a row depends on that row alone. */
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import type { Model } from "./planned-model.ts";
import { functionsIn, nodesOf, parseQuery, type SyntaxNode, within } from "./syntax.ts";

/**
 * Refuses a model whose SQL looks at other rows: made of new rows alone, it would give something else than of all.
 * Throws `MODEL_MERGE` or `MODEL_APPEND`.
 */
export async function checkRowwise(duckdb: DuckDb, model: Model): Promise<void> {
  const reason = await rowwiseOddity(duckdb, model, ["bronze"]);
  if (reason === undefined) return;
  const isMerge = model.kind === "merge";
  throw new TerminalError(
    `model ${model.name} cannot be kept as ${isMerge ? "current state" : "appended rows"}: it ${reason}`,
    {
      code: isMerge ? "MODEL_MERGE" : "MODEL_APPEND",
      value: model.file,
      allowed: "SQL that shapes one bronze table row by row",
      next: "Join and aggregate in a gold model.",
    },
  );
}

/** Why a model's SQL is none that shapes one table of these layers row by row; undefined where it is one. */
export async function rowwiseOddity(
  duckdb: DuckDb,
  { sql, references }: Pick<Model, "sql" | "references">,
  layers: readonly string[],
): Promise<string | undefined> {
  const node = await parseQuery(duckdb, sql);
  return node === undefined ? "is no query" : oddityOf(duckdb, node, references, layers);
}

async function oddityOf(
  duckdb: DuckDb,
  node: SyntaxNode,
  references: readonly string[],
  layers: readonly string[],
): Promise<string | undefined> {
  const [reference, ...others] = references;
  if (reference === undefined || others.length > 0 || !layers.includes(reference.split(".")[0] ?? ""))
    return `reads ${references.join(", ") || "no table"}`;
  const nodes = [...within(node)];
  const reads = nodes.filter(
    (n) => n.type === "BASE_TABLE" && `${n.schema_name}.${n.table_name}` === reference,
  );
  if (reads.length > 1) return `reads ${reference} more than once`;
  const aggregates = await functionsIn(duckdb, node, "aggregate");
  if (aggregates.length > 0) return `has an aggregate (${aggregates.join(", ")})`;
  if (nodes.some((n) => n.class === "WINDOW")) return "has a window function";
  if (nodes.some(({ type }) => type === "SET_OPERATION_NODE" || type === "RECURSIVE_CTE_NODE"))
    return "joins the rows of several queries";
  if (nodes.some((n) => nodesOf(n.group_expressions).length > 0)) return "groups rows";
  if (nodes.some((n) => n.type === "SELECT_NODE" && n.sample !== null)) return "takes a sample";
  const unsteady = await functionsIn(duckdb, node, "unsteady");
  if (unsteady.length > 0) return `asks for what is different each time (${unsteady.join(", ")})`;
  const modifiers = nodes.flatMap((n) => nodesOf(n.modifiers));
  if (modifiers.some(({ type }) => type !== "ORDER_MODIFIER")) return "has a LIMIT or DISTINCT clause";
  return undefined;
}
