/** Tables that Ingot keeps about its own runs, below `<pipeline>/_ingot/`. */

import { attempt } from "../lakehouse/delta/attempt.ts";
import { deleteRows } from "../lakehouse/delta/change/delete.ts";
import { mergeColumns } from "../lakehouse/delta/evolve.ts";
import { scannable, scanSql } from "../lakehouse/delta/scan.ts";
import type { StructType } from "../lakehouse/delta/schema.ts";
import type { DeltaTable } from "../lakehouse/delta/table.ts";
import type { Row } from "../lakehouse/duckdb/duckdb.ts";
import { identifier, identifiers, literal } from "../lakehouse/duckdb/quote.ts";
import { compactSmallFiles } from "./models/compact.ts";

/** A value of a row; a Date is an instant. */
export type OwnValue = string | number | Date | undefined;

/** Such a table: its columns, and which of its rows stay. */
export interface OwnTable {
  readonly schema: StructType;
  /** Column of the instant by which rows grow old. */
  readonly time: string;
  /** Columns that tell a row from others. */
  readonly id: readonly string[];
  /** SQL: of the rows that are equal in these the newest stays, however old. */
  readonly newestOf: string;
}

const DAY_MS = 24 * 3600 * 1000;
const DAYS_KEPT = 90;

/** Application whose version is the day, since 1970, for which old rows were dropped last. */
const DROPPED = "ingot.dropped-days";

/**
 * Appends rows, with values in the order of the schema. A table with fewer columns gets the others; one with more keeps
 * them. Once a day rows older than 90 days are dropped.
 */
export async function appendOwnRows(
  table: DeltaTable,
  own: OwnTable,
  rows: readonly (readonly OwnValue[])[],
): Promise<void> {
  const { schema } = own;
  if (rows.length === 0) return;
  const values = rows.map((row) => `(${row.map(valueSql).join(", ")})`);
  const names = identifiers(schema.fields.map((f) => f.name));
  const day = Math.floor(table.now() / DAY_MS);
  const session = await table.duckdb.session();
  let isDue = false;
  try {
    // A blind append loses only to one that makes the table, adds columns, or is the first of its day too; a lost one
    // has dropped its file.
    await attempt(table.store.root, async () => {
      const base = await table.snapshot();
      const columns = base === undefined ? schema : mergeColumns(base.schema, schema, true);
      const sql = `SELECT * FROM (VALUES ${values.join(", ")}) AS t(${names})`;
      const staged = await table.stage(session, sql, schema);
      const isFirst = (base?.transactions.get(DROPPED)?.version ?? -1) < day;
      const transactions = isFirst ? [{ appId: DROPPED, version: day, lastUpdated: table.now() }] : [];
      isDue = isFirst && base !== undefined;
      return {
        outcome: await table.write({
          operation: "WRITE",
          base,
          schema: columns,
          staged,
          reads: "nothing",
          transactions,
        }),
      };
    });
    // What is not dropped now is dropped another day.
    if (isDue) await dropOld(table, own, (day - DAYS_KEPT) * DAY_MS).catch(() => {});
    // The rows are there; files that could not be joined now are joined another time.
    await compactSmallFiles(table, await table.existingSnapshot()).catch(() => {});
  } finally {
    await session.close();
  }
}

/** Deletes what is older than an instant, but for the rows that stay. */
async function dropOld(table: DeltaTable, own: OwnTable, before: number): Promise<void> {
  const { id, newestOf } = own;
  const time = identifier(own.time);
  const isOld = `${time} < ${valueSql(new Date(before))}`;
  const kept = await ownRows(
    table,
    own,
    `SELECT ${identifiers(id)} FROM (
       SELECT ${identifiers(id)}, ${time} FROM t
       QUALIFY row_number() OVER (PARTITION BY ${newestOf} ORDER BY ${time} DESC) = 1
     ) WHERE ${isOld}`,
  );
  const isKept = kept.map(
    (row) => `NOT (${id.map((name) => `${identifier(name)} = ${literal(String(row[name]))}`).join(" AND ")})`,
  );
  await deleteRows(table, [isOld, ...isKept].join(" AND "));
}

/** Rows of a query over such a table, which it calls `t`; none where the table does not exist. */
export async function ownRows(
  table: DeltaTable,
  { schema }: Pick<OwnTable, "schema">,
  sql: string,
): Promise<Row[]> {
  const snapshot = await table.snapshot();
  if (snapshot === undefined) return [];
  // Columns that an older table does not have yet are asked for as well.
  const columns = mergeColumns(snapshot.schema, schema, true);
  const scan = await scanSql(table.store, { ...scannable(snapshot), schema: columns });
  return table.duckdb.rows(`WITH t AS (${scan}) ${sql}`);
}

function valueSql(value: OwnValue): string {
  if (value === undefined) return "NULL";
  if (value instanceof Date) return `make_timestamptz(${value.getTime()}000::BIGINT)`;
  return typeof value === "number" ? String(value) : literal(value);
}
