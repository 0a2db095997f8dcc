/**
 * Rows of a table that is only appended to, set aside where they break the contract: each under its place in bronze, for
 * good. Rows of bronze that nothing tells apart are counted, so that each is held once, whichever runs found them.
 */
import type { AddFile } from "../../../lakehouse/delta/actions.ts";
import { mergeRows } from "../../../lakehouse/delta/change/merge.ts";
import { tableInfo } from "../../../lakehouse/delta/layout.ts";
import { scannable, scanSql } from "../../../lakehouse/delta/scan.ts";
import { parsePredicate } from "../../../lakehouse/delta/skip/parse-predicate.ts";
import { pruneFiles } from "../../../lakehouse/delta/skip/prune.ts";
import type { Snapshot } from "../../../lakehouse/delta/snapshot.ts";
import type { DeltaTable } from "../../../lakehouse/delta/table.ts";
import { identifier, literal } from "../../../lakehouse/duckdb/quote.ts";
import { META, META_COLUMNS, sourceKey } from "../../definition/bronze-columns.ts";
import { PLACE } from "../placed-query.ts";
import type { ModelRun } from "../run.ts";
import { HELD, lastLsn, RULES, SAME } from "./hold.ts";
import { openQuarantine } from "./hold-source.ts";
import { jsonObjectSql } from "./row-json.ts";

/** Member of a row's key in quarantine: which one it is of rows that nothing tells apart, from 2. */
const NTH = "_ingot_nth";

/** The bronze rows of a run. */
export interface AppendedRows {
  readonly source: Snapshot;
  readonly table: DeltaTable;
  /** Files that came since the last run; undefined for a table made anew. */
  readonly added: readonly AddFile[] | undefined;
  /** Relation of the session with the rows of those files. */
  readonly changes: string;
}

/** SQL over a row of bronze: a struct of its place, the name of that, and the row as bronze has it. */
export function placeSql(source: Snapshot): string {
  const own = source.schema.fields.map(({ name }) => name).filter((name) => !META_COLUMNS.includes(name));
  const raw = jsonObjectSql(own.map((name) => [name, `${identifier(name)}::VARCHAR`]));
  const key = sourceKey(source) ?? [];
  const named =
    key.length > 0
      ? key.map((name) => [name, `${identifier(name)}::VARCHAR`] as const)
      : // A column that came later is null in rows of before, and no other name for them.
        [["row", `md5(json_merge_patch('{}', ${raw})::VARCHAR)`] as const];
  const place = [META.operation, META.lsn, META.sequence].map(
    (column) => [column, `${column}::VARCHAR`] as const,
  );
  const name = jsonObjectSql([...named, ...place]);
  return `struct_pack(lsn := ${META.lsn}, seq := ${META.sequence}, raw := ${raw}, name := ${name})`;
}

/** Brings what this run found into the quarantine. */
export async function writeAppended(run: ModelRun, rows: AppendedRows, held: number): Promise<void> {
  const { session, model } = run;
  const quarantine = await openQuarantine(run, held, rows.added === undefined);
  if (quarantine === undefined) return;
  const place = `h.${PLACE}`;
  const nth = `row_number() OVER (PARTITION BY ${place}.name ORDER BY ${place}.raw) + coalesce(e.rows, 0)`;
  const sql = `SELECT CASE WHEN nth = 1 THEN name ELSE left(name, -1) || ',"${NTH}":"' || nth || '"}' END AS key,
      * EXCLUDE (name, nth)
    FROM (SELECT ${place}.name AS name, ${nth} AS nth, ${place}.raw AS raw, h.${RULES} AS rules, ${place}.lsn AS lsn,
        ${place}.seq AS seq, ${literal(model.rules.fingerprint)} AS contract, now() AS held_at
      FROM ${HELD} AS h LEFT JOIN (${await earlierSql(run, rows)}) AS e ON e.name = ${place}.name)`;
  await mergeRows(quarantine, {
    source: { sql, session },
    on: "target.key = source.key",
    // Rows that are held as they were keep the time at which they were set aside.
    matched: [{ when: `NOT (${SAME})`, update: "all" }],
    notMatched: [{ insert: "all" }],
    // A table that is made anew holds no others, but for those that a rival found of what is newer.
    notMatchedBySource:
      rows.added === undefined
        ? [{ when: `target.lsn <= ${await lastLsn(run, rows.changes)}`, delete: true }]
        : [],
  });
}

/** Query of how often rows that are held were in bronze before those of this run. */
async function earlierSql(
  { session, target }: ModelRun,
  { source, table, added, changes }: AppendedRows,
): Promise<string> {
  const [range] = await session.rows(
    `SELECT min(${PLACE}.lsn)::VARCHAR AS first, max(${PLACE}.lsn)::VARCHAR AS last FROM ${HELD}`,
  );
  if (added === undefined || typeof range?.first !== "string")
    return "SELECT NULL::VARCHAR AS name, 0 AS rows WHERE false";
  const at = `SELECT DISTINCT ${PLACE}.lsn AS lsn, ${PLACE}.seq AS seq FROM ${HELD}`;
  const named = (rows: string, count: number) =>
    `SELECT (${placeSql(source)}).name AS name, ${count} AS rows FROM (${rows}) AS b
       SEMI JOIN (${at}) AS p ON b.${META.lsn} = p.lsn AND b.${META.sequence} = p.seq`;
  // Files may have been joined since: all rows without the new ones are those of before.
  const where = `${META.lsn} >= ${range.first} AND ${META.lsn} <= ${String(range.last)}`;
  const { predicate } = await parsePredicate(target.duckdb, where, source.schema);
  const files = pruneFiles(source.files.values(), predicate, tableInfo(source)).kept;
  const near = await scanSql(table.store, { ...scannable(source), files });
  const all = named(`SELECT * FROM (${near}) WHERE ${where}`, 1);
  return `SELECT name, sum(rows) AS rows FROM (${all} UNION ALL ${named(`FROM ${changes}`, -1)}) GROUP BY name`;
}
