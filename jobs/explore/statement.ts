/** What people may ask: one statement that reads tables of the lake and nothing else, by DuckDB's own syntax tree. */
import { parseLossless } from "../../lakehouse/delta/skip/lossless-json.ts";
import type { DuckDb } from "../../lakehouse/duckdb/duckdb.ts";
import { syntaxTreeJson } from "../../lakehouse/duckdb/syntax-tree.ts";
import { TerminalError } from "../../lakehouse/errors.ts";
import { nodeOf, nodesOf, type SyntaxNode, within } from "../../layers/models/syntax.ts";
import { splitStatements } from "../terminal/statements.ts";

export interface ReadStatement {
  /** `EXPLAIN` and its options with a space behind, or nothing. */
  readonly prefix: string;
  /** The query, without a `;`. */
  readonly sql: string;
  readonly tree: SyntaxNode;
  /** The references to tables that are no names of common table expressions. */
  readonly references: readonly SyntaxNode[];
}

/** Those that open no file, run no other text as SQL, and show nothing of the engine that masking relies on. */
const TABLE_FUNCTIONS = new Set(
  (
    "range generate_series unnest repeat repeat_row json_each json_tree summary test_all_types " +
    "duckdb_functions duckdb_types duckdb_keywords icu_calendar_names pg_timezone_names pragma_version"
  ).split(" "),
);

/** Scalar functions that look behind views, at settings or variables, or change something. */
const REFUSED_FUNCTIONS =
  /^(getenv|getvariable|current_setting|set_config|nextval|currval|setseed|stats|write_log|json_serialize_plan|query|query_table|histogram|histogram_values|pg_get_.*|which_secret|(read|parquet|duckdb|pragma|arrow|enable|disable|truncate)_.*|(force_)?checkpoint)$/;

/** `SHOW` without a table; what it lists are names. */
const LISTS = new Set(["", '"tables"', '"databases"', '"schemas"', "__show_tables_expanded"]);

const SHOW_TABLES = /^\s*show\s+tables\s*$/i;

/** DuckDB lists the tables of one schema, and the lake has several: all of them, under the names that statements use. */
const LIST_TABLES = `SELECT array_to_string(list_transform(
      CASE table_catalog WHEN current_database() THEN [] ELSE [table_catalog] END || [table_schema, table_name],
      lambda part: CASE WHEN regexp_full_match(part, '[a-z_][a-z0-9_]*') THEN part
        ELSE '"' || replace(part, '"', '""') || '"' END), '.') AS name
  FROM information_schema.tables
  WHERE table_catalog NOT LIKE '% at version %' AND table_catalog NOT LIKE 'ingot:%' ORDER BY name`;

/** What `EXPLAIN` takes; anything else is left to the query, and refused with it. */
const EXPLAIN = /^\s*explain(?:\s+(analyze)|\s*\(([\w\s,]*)\))?(?=[\s(])/i;

/**
 * The statement, where it only reads. Throws `SQL_READ_ONLY` for other statements and for several, `SQL_REFUSED` for
 * functions that reach beyond the tables of the lake, `DUCKDB_SQL` for text that does not parse.
 */
export async function parseRead(duckdb: DuckDb, text: string): Promise<ReadStatement> {
  const explain = EXPLAIN.exec(text);
  const options = explain?.[1] ?? (explain?.[2] === undefined ? "" : `(${explain[2]})`);
  const query = text.slice(explain?.[0].length ?? 0);
  const [asked, ...more] = splitStatements(`${query}\n;`).statements;
  if (asked === undefined || more.length > 0) throw readOnly(text);
  const sql = SHOW_TABLES.test(asked) ? LIST_TABLES : asked;
  const parsed = nodeOf(parseLossless(await syntaxTreeJson(duckdb, sql)));
  if (parsed?.error === true && parsed.error_type === "parser") throw notParsed(parsed, sql);
  const [tree, ...others] = nodesOf(parsed?.statements);
  if (tree === undefined || others.length > 0) throw readOnly(text);
  const nodes = [...within(tree)];
  for (const node of nodes) refuseUnsafe(node);
  const expressions = namesOfExpressions(nodes);
  const references = nodes.filter(
    (node) => node.type === "BASE_TABLE" && !(isBare(node) && expressions.has(lower(node.table_name))),
  );
  return { prefix: explain === null ? "" : `EXPLAIN ${options} `, sql, tree, references };
}

function refuseUnsafe(node: SyntaxNode): void {
  if (node.type === "TABLE_FUNCTION") {
    const name = lower(nodeOf(node.function)?.function_name);
    if (!TABLE_FUNCTIONS.has(name)) throw refused(`${name}()`);
  }
  if (typeof node.function_name === "string" && REFUSED_FUNCTIONS.test(lower(node.function_name)))
    if (!TABLE_FUNCTIONS.has(lower(node.function_name))) throw refused(`${lower(node.function_name)}()`);
  if (node.type === "SHOW_REF" && !LISTS.has(String(node.table_name)))
    throw refused(`SHOW ${String(node.table_name)}`);
  if (node.type === "COLUMN_DATA" || node.type === "DELIM_GET") throw refused(String(node.type));
}

/**
 * Names of common table expressions. Out of the scope of one its name could be that of a file, or of a view of DuckDB's
 * own that shows how masking is done: a name which could be one does not count.
 */
function namesOfExpressions(nodes: readonly SyntaxNode[]): ReadonlySet<string> {
  const names = nodes.flatMap((node) => nodesOf(nodeOf(node.cte_map)?.map).map(({ key }) => lower(key)));
  return new Set(names.filter((name) => !/[./\\:*?[]|^(duckdb|sqlite|pragma|pg)_/.test(name)));
}

const lower = (name: unknown): string => String(name).toLowerCase();

/** Whether a reference has neither catalog nor schema. */
function isBare(node: SyntaxNode): boolean {
  return node.catalog_name === "" && node.schema_name === "" && node.at_clause === null;
}

/** What a statement that changes something is answered. */
export function readOnly(sql: string): TerminalError {
  return new TerminalError("only reading statements can be run here, one at a time", {
    code: "SQL_READ_ONLY",
    value: sql.trim().slice(0, 200),
    allowed: "SELECT, WITH, FROM, DESCRIBE, SHOW, SUMMARIZE, EXPLAIN",
    next: "Tables change through models: write one, and `ingot build`.",
  });
}

function refused(what: string): TerminalError {
  return new TerminalError("this reaches beyond the tables of the lake", {
    code: "SQL_REFUSED",
    value: what,
    allowed: `tables of the lake; functions of values; as tables ${[...TABLE_FUNCTIONS].join(", ")}`,
    next: "Files outside come in as a source of a pipeline; `ingot export duckdb` gives a file for free use.",
  });
}

function notParsed(parsed: SyntaxNode, sql: string): TerminalError {
  const position = Number(parsed.position);
  const at = Number.isFinite(position) ? `\n${markedLine(sql, position)}` : "";
  return new TerminalError(`Parser Error: ${String(parsed.error_message)}${at}`, {
    code: "DUCKDB_SQL",
    value: sql.slice(0, 2000),
  });
}

/** The line of this position, and a mark below it. */
function markedLine(sql: string, position: number): string {
  const start = sql.lastIndexOf("\n", position - 1) + 1;
  const line = sql.slice(start).split("\n", 1)[0] ?? "";
  const from = Math.max(0, position - start - 60);
  return `\n${line.slice(from, from + 100)}\n${" ".repeat(position - start - from)}^`;
}
