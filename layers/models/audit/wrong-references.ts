/** Values of a column that a table does not have. */
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import type { AuditCheck } from "../../definition/audit.ts";
import type { Model } from "../planned-model.ts";
import { IS_NEW, readChange } from "../read-change.ts";
import type { TableAt } from "./audit-result.ts";
import type { AuditedTable } from "./audited-table.ts";
import type { WrongRows } from "./wrong-rows.ts";

type ReferenceCheck = Extract<AuditCheck, { kind: "references" }>;

/** The version of the other table that the values were last held against, when all of them were there. */
export interface ReferenceRecord {
  readonly id: string;
  readonly version: number;
}

/** No row. */
const NONE: WrongRows = { sql: "SELECT 1 WHERE false", count: "count(*)", checked: "written" };

const VALUES = "referring_values";
const MISSING = "missing_values";
const GONE = "gone_rows";

/**
 * The rows whose value the other table does not have. Where all had theirs before, only values that were written, and
 * those that went from the other table since, can be missing; else (`before` is undefined) all are looked up.
 */
export async function wrongReferences(
  model: Model,
  check: ReferenceCheck,
  table: AuditedTable,
  before: ReferenceRecord | undefined,
): Promise<WrongRows> {
  const { own } = table;
  const [column, to] = [identifier(check.column), identifier(check.to)];
  const isOwn = check.table === model.name;
  const target = isOwn ? own : check.table.split(".").map(identifier).join(".");
  // A table that refers to itself loses rows in the same commit.
  const other = isOwn ? undefined : await table.lay(check.table);
  const gone = before && other && (await goneValues(check, table, other, before));
  if (gone === undefined) {
    const sql = `SELECT * FROM ${own} AS t ANTI JOIN ${target} AS r ON t.${column} = r.${to} WHERE t.${column} IS NOT NULL`;
    return { sql, count: "count(*)", checked: "table" };
  }
  const values = [`SELECT ${column} AS value FROM ${await table.written()}`, ...gone];
  const session = await table.session();
  // Few values are looked up in the other table, and not all of its rows among them.
  await session.run(
    `CREATE OR REPLACE TABLE main.${VALUES} AS SELECT DISTINCT value FROM (${values.join(" UNION ALL ")}) WHERE value IS NOT NULL;
     CREATE OR REPLACE TABLE main.${MISSING} AS SELECT value FROM main.${VALUES} AS v ANTI JOIN (
       SELECT DISTINCT r.${to} AS found FROM ${target} AS r SEMI JOIN main.${VALUES} AS w ON r.${to} = w.value
     ) AS f ON v.value = f.found`,
  );
  const [found] = await session.rows(`SELECT EXISTS (FROM main.${MISSING}) AS any`);
  // The rows of the table are looked through for them only where there are some.
  if (found?.any !== true) return NONE;
  return {
    sql: `SELECT * FROM ${own} AS t SEMI JOIN main.${MISSING} AS m ON t.${column} = m.value`,
    count: "count(*)",
    checked: "written",
  };
}

/** Queries of the values that went from the other table; undefined where that is not known. */
async function goneValues(
  check: ReferenceCheck,
  audited: AuditedTable,
  { table, snapshot }: TableAt,
  before: ReferenceRecord,
): Promise<string[] | undefined> {
  if (before.id !== snapshot.metadata.id || before.version > snapshot.version) return undefined;
  if (before.version === snapshot.version) return [];
  const session = await audited.session();
  const change = await readChange(session, table, before.version, snapshot, `main.${GONE}`);
  if (change === undefined) return undefined;
  return [`SELECT ${identifier(check.to)} AS value FROM main.${GONE} WHERE NOT ${IS_NEW}`];
}
