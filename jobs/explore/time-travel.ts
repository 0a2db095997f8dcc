/**
 * `FROM gold.daily_revenue AT (VERSION => 12)`: DuckDB's parser takes the clause, its catalogs of views do not. Each
 * table at a version is a view under its own name in a catalog of its own, so that its columns are qualified as usual.
 */
import { parseLossless, stringifyLossless } from "../../lakehouse/delta/skip/lossless-json.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { DuckDb, Session } from "../../lakehouse/duckdb/duckdb.ts";
import { syntaxTreeJson } from "../../lakehouse/duckdb/syntax-tree.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { mapNode, nodeOf, nodesOf, type SyntaxNode, within } from "../../layers/models/syntax.ts";
import { nearestName } from "../terminal/nearest-name.ts";
import type { PinnedTable } from "./pinned-tables.ts";
import type { ReadStatement } from "./statement.ts";

/** A table that a statement reads. */
export interface ReadTable {
  readonly pinned: PinnedTable;
  readonly snapshot: Snapshot;
  /** Where the statement finds it. */
  readonly catalog: string;
}

export interface ResolvedStatement {
  /** The query with its tables where the views are. */
  readonly sql: string;
  readonly tables: readonly ReadTable[];
}

/** The tables that DuckDB has for names of tables and columns. */
const CATALOG = /^(tables|columns|schemata)$/i;

/**
 * Finds the tables of a statement and the versions it asks for. `session` computes the values of the clauses and has
 * no table. Throws `SQL_TABLE_UNKNOWN`, `SQL_BAD_VERSION`, and what the versions of a Delta table throw.
 */
export async function resolveTables(
  duckdb: DuckDb,
  session: Session,
  { sql, tree, references }: ReadStatement,
  pinned: readonly PinnedTable[],
  home: string | undefined,
): Promise<ResolvedStatement> {
  const tables = new Map<string, ReadTable>();
  const moved = new Map<SyntaxNode, string>();
  for (const node of references) {
    if (isCatalogTable(node)) continue;
    const table = find(node, pinned, home);
    const clause = nodeOf(node.at_clause);
    // Which version of those tables would be asked?
    if (clause && [...within(clause)].some((inner) => references.includes(inner)))
      throw noSuchVersion(table.table, table.snapshot, "a query of tables");
    const snapshot = clause ? await snapshotAt(duckdb, session, table, clause) : table.snapshot;
    const isNewest = snapshot.version === table.snapshot.version;
    const catalog = isNewest ? table.pipeline : `${table.pipeline} at version ${snapshot.version}`;
    tables.set(`${catalog}/${table.path}`, { pinned: table, snapshot, catalog });
    if (clause) moved.set(node, catalog);
  }
  if (moved.size === 0) return { sql, tables: [...tables.values()] };
  const renamed = mapNode(tree, (node) => {
    const catalog = moved.get(node);
    return catalog === undefined ? undefined : { ...node, catalog_name: catalog, at_clause: null };
  });
  return { sql: await statementText(duckdb, renamed), tables: [...tables.values()] };
}

function isCatalogTable(node: SyntaxNode): boolean {
  return (
    /^information_schema$/i.test(String(node.schema_name)) &&
    CATALOG.test(String(node.table_name)) &&
    node.at_clause === null
  );
}

const alike = (a: unknown, b: string) => String(a).toLowerCase() === b.toLowerCase();

function find(node: SyntaxNode, pinned: readonly PinnedTable[], home: string | undefined): PinnedTable {
  const pipeline = node.catalog_name === "" ? (home ?? "") : node.catalog_name;
  const found = pinned.find(
    (t) => alike(pipeline, t.pipeline) && alike(node.schema_name, t.layer) && alike(node.table_name, t.name),
  );
  if (found !== undefined) return found;
  const name = [node.catalog_name, node.schema_name, node.table_name].filter((part) => part !== "").join(".");
  const namesakes = pinned.filter((t) => alike(node.table_name, t.name));
  const near = namesakes.length > 0 ? namesakes : pinned.slice(0, 40);
  const shown = (t: PinnedTable) => `${t.pipeline === home ? "" : `${t.pipeline}.`}${t.layer}.${t.name}`;
  const spelt = nearestName(name, pinned.map(shown));
  const first = namesakes[0] === undefined ? spelt : shown(namesakes[0]);
  throw new TerminalError(`the lake has no table ${name}`, {
    code: "SQL_TABLE_UNKNOWN",
    value: name,
    allowed: near.map(shown).join(", "),
    next: first ? `Did you mean ${first}?` : "`.tables` at the prompt of `ingot sql` lists the tables.",
  });
}

async function snapshotAt(
  duckdb: DuckDb,
  session: Session,
  { table, snapshot }: PinnedTable,
  clause: SyntaxNode,
): Promise<Snapshot> {
  const expression = await expressionText(duckdb, clause.expr);
  if (clause.unit !== "VERSION") {
    const rows = await session.rows(`SELECT CAST((${expression}\n) AS TIMESTAMPTZ) AS value`);
    const timestamp = new Date(String(rows[0]?.value));
    if (Number.isNaN(timestamp.getTime())) throw noSuchVersion(table, snapshot, String(rows[0]?.value));
    return table.at({ timestamp });
  }
  const rows = await session.rows(`SELECT (${expression}\n) AS value`);
  const value = rows[0]?.value;
  // A text or a fraction that DuckDB would make a number of is a mistake here.
  const version = typeof value === "bigint" || Number.isInteger(value) ? Number(value) : Number.NaN;
  if (version === snapshot.version) return snapshot;
  if (version >= 0 && version < snapshot.version) return table.existingSnapshot(version);
  throw noSuchVersion(table, snapshot, String(value));
}

function noSuchVersion(table: DeltaTable, newest: Snapshot, value: string): TerminalError {
  return new TerminalError(`${table.store.root} has no version ${value}`, {
    code: "SQL_BAD_VERSION",
    value,
    allowed: `AT (VERSION => 0 to ${newest.version}), AT (TIMESTAMP => TIMESTAMPTZ '2026-01-31 12:00:00Z')`,
    next: "`ingot table history TABLE` lists the versions; a prompt sees those from before it was opened.",
  });
}

/** The text of a query that has this expression for its value. */
async function expressionText(duckdb: DuckDb, expression: unknown): Promise<string> {
  const tree = parseLossless(await syntaxTreeJson(duckdb, "SELECT 1"));
  const [statement] = nodesOf(nodeOf(tree)?.statements);
  return statementText(duckdb, {
    ...statement,
    node: { ...nodeOf(statement?.node), select_list: [expression] },
  });
}

async function statementText(duckdb: DuckDb, statement: SyntaxNode): Promise<string> {
  const tree = stringifyLossless({ error: false, statements: [statement] });
  const rows = await duckdb.rows("SELECT json_deserialize_sql($1::JSON) AS sql", [tree]);
  return String(rows[0]?.sql);
}
