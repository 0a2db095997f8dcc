/**
 * Values that Postgres did not send. Of a row that was updated it leaves out the long values (TOAST) that stayed what
 * they were; here they are taken from the row's change before: one of the same batch, or the newest in bronze.
 */
import type { Session } from "../../../lakehouse/duckdb/duckdb.ts";
import { identifier, identifiers, literal } from "../../../lakehouse/duckdb/quote.ts";
import { TransientError } from "../../../lakehouse/errors.ts";
import { META } from "../../definition/bronze-columns.ts";
import type { CapturedTable } from "./captured-table.ts";

const { operation, lsn, sequence, rescued } = META;
const MASK = "_ingot_unchanged";
const REKEYED = "_ingot_rekeyed";

/**
 * Fills the gaps of `captured`, a table of the session: bronze's columns, and `_ingot_unchanged` with the positions
 * of the fields that were not sent. `fields`: names of the fields by position. `bronzeSql` gives the rows of bronze for
 * a condition on its key columns.
 */
export async function restoreUnchanged(
  session: Session,
  table: CapturedTable,
  fields: readonly string[],
  bronzeSql: (keys: string) => Promise<string>,
): Promise<void> {
  const key = identifiers(table.key);
  await session.run(`CREATE OR REPLACE TABLE before AS
    SELECT * FROM (${await bronzeSql(`SELECT DISTINCT ${key} FROM captured`)})
    QUALIFY row_number() OVER (PARTITION BY ${key} ORDER BY ${lsn} DESC, ${sequence} DESC) = 1`);
  const positions = await session.rows(
    `SELECT DISTINCT unnest(string_split(${MASK}, ';'))::INTEGER AS position FROM captured WHERE ${MASK} <> '' ORDER BY 1`,
  );
  for (const { position } of positions) {
    const name = fields[Number(position)];
    if (name !== undefined) await restoreColumn(session, table, Number(position), name);
  }
}

async function restoreColumn(
  session: Session,
  table: CapturedTable,
  position: number,
  name: string,
): Promise<void> {
  const key = identifiers(table.key);
  const columns = new Set((await session.describe("FROM captured")).map((column) => column.name));
  // A field without a place in bronze lives among the rescued values only.
  const value = columns.has(name) ? identifier(name) : "NULL::VARCHAR";
  const raw = `json_extract_string(${rescued}, ${literal(`$."${name.replaceAll('"', '\\"')}"`)})`;
  const chain = (masked: string, rekeyed: string, from: string) =>
    `SELECT ${key}, ${lsn}, ${sequence}, ${operation}, ${masked} AS _ingot_masked, ${rekeyed} AS ${REKEYED},
            {'known': NOT ${masked}, 'value': ${value}, 'raw': ${raw}} AS _ingot_own FROM ${from}`;
  const masked = `list_contains(string_split(coalesce(${MASK}, ''), ';'), '${position}')`;
  await session.run(`CREATE OR REPLACE TABLE chain AS
    ${chain("false", "false", "before")} WHERE ${operation} <> 'd'
    UNION ALL ${chain(masked, `coalesce(${REKEYED}, false)`, "captured")}`);
  // Each turn hands values from a row's last change under its old key to its first under the new one.
  for (;;) {
    await session.run(`CREATE OR REPLACE TABLE carried AS SELECT *, last_value(
        CASE WHEN ${operation} IN ('d', 't') OR (_ingot_masked AND NOT ${REKEYED}) THEN NULL ELSE _ingot_own END IGNORE NULLS)
        OVER (PARTITION BY ${key} ORDER BY ${lsn}, ${sequence} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS _ingot_last
      FROM chain`);
    const [moved] =
      await session.rows(`UPDATE chain SET _ingot_masked = false, _ingot_own = former._ingot_last
      FROM carried AS former WHERE chain._ingot_masked AND chain.${REKEYED} AND former.${operation} = 'd'
       AND struct_extract(former._ingot_last, 'known')
       AND former.${lsn} = chain.${lsn} AND former.${sequence} = chain.${sequence} - 1`);
    if (Number(moved?.Count ?? 0) === 0) break;
  }
  const known = "coalesce(struct_extract(_ingot_last, 'known'), false)";
  const [gaps] = await session.rows(
    `SELECT count(*) AS gaps FROM carried WHERE (_ingot_masked OR ${REKEYED}) AND ${operation} = 'u' AND NOT ${known}`,
  );
  if (Number(gaps?.gaps) > 0) throw missing(table, name, Number(gaps?.gaps));
  const last = (member: string) => `struct_extract(carried._ingot_last, '${member}')`;
  const set = columns.has(name) ? `${identifier(name)} = ${last("value")}, ` : "";
  const kept = `CASE WHEN ${last("raw")} IS NULL THEN captured.${rescued}
    ELSE json_merge_patch(coalesce(captured.${rescued}, '{}')::JSON, json_object(${literal(name)}, ${last("raw")}))::VARCHAR END`;
  await session.run(`UPDATE captured SET ${set}${rescued} = ${kept} FROM carried
    WHERE ${masked} AND captured.${lsn} = carried.${lsn} AND captured.${sequence} = carried.${sequence}`);
}

function missing(table: CapturedTable, column: string, rows: number): TransientError {
  return new TransientError(`${table.task} lacks rows that the source says it changed`, {
    code: "CAPTURE_UNKNOWN_ROW",
    value: `${rows} rows, unchanged values of column ${column}`,
    next: "`ingot verify --repair` compares the table with its source and takes what is missing.",
  });
}
