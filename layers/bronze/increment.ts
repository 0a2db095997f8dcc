/**
 * What committed at the source since a table's position, found without logical replication.
 *
 * A row version is new when the transaction that wrote it (`xmin`) was not visible in the position's snapshot. Its
 * candidates are the rows whose xmin is not older than that snapshot's xmin: no row that committed late is missed,
 * whatever its timestamps say. Among the candidates those already in bronze are recognised by identity and
 * transaction id. (Asking `pg_visible_in_snapshot` instead would lose rows: snapshots do not list the ids of
 * subtransactions that were still running.)
 */
import type pg from "pg";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, identifiers, literal } from "../../lakehouse/duckdb/quote.ts";
import { META } from "../definition/bronze-columns.ts";
import { changesSql, checkCount, csvSql } from "./full-load.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import { copyThroughFifo } from "./postgres/copy.ts";
import type { SourceMoment } from "./postgres/snapshot.ts";
import { bronzeSchema, identityColumns, sourceColumns, sourceName } from "./schema.ts";

export interface IncrementRequest {
  readonly table: TableDescription;
  readonly from: SourceMoment;
  readonly to: SourceMoment;
  /** Seconds that a transaction may stay open; only with a cursor. */
  readonly longestTransaction: number;
  readonly compareDeletes: boolean;
  /** SQL of the bronze table at the version that holds `from`. */
  readonly bronze: string;
}

/** Stages the new rows and, where asked, the deletions. */
export async function stageIncrement(
  client: pg.Client,
  session: Session,
  target: DeltaTable,
  request: IncrementRequest,
  onArrival: (bytes: number, rows: number) => void,
): Promise<{ staged: Staged; bytesRead: number; deleted: number }> {
  const { table, from, to } = request;
  const shape = { table, withTransaction: true };
  const candidates = await copyThroughFifo(
    client,
    `SELECT ${sourceColumns(shape)} FROM ${sourceName(table)} WHERE ${candidateSql(request)}`,
    (fifo) =>
      session.run(`CREATE OR REPLACE TABLE candidates AS ${changesSql(shape, csvSql(shape, fifo), to, "u")}`),
    onArrival,
  );
  checkCount(table, candidates.rows, await count(session, "candidates"));
  let bytesRead = candidates.bytes;
  let deleted = 0;
  const parts = [newRowsSql(request)];
  if (request.compareDeletes && table.key.length > 0) {
    const keys = await readKeys(client, session, table);
    bytesRead += keys;
    await session.run(`CREATE OR REPLACE TABLE deletions AS ${deletionsSql(request)}`);
    deleted = await count(session, "deletions");
    parts.push("SELECT * FROM deletions");
  }
  const staged = await target.stage(session, parts.join(" UNION ALL BY NAME "), bronzeSchema(table));
  await session.run(
    "DROP TABLE IF EXISTS candidates; DROP TABLE IF EXISTS deletions; DROP TABLE IF EXISTS source_keys",
  );
  return { staged, bytesRead, deleted };

  function newRowsSql({ bronze }: IncrementRequest): string {
    // Where nothing was running at the position's moment, no candidate can have been visible in it.
    if (from.xmin === from.xmax) return "SELECT * FROM candidates";
    const identity = [...identityColumns(table), META.transaction];
    return `SELECT * FROM candidates ANTI JOIN (SELECT ${identifiers(identity)} FROM (${bronze}) WHERE ${META.transaction} >= ${from.xmin}) USING (${identifiers(identity)})`;
  }
}

/** The condition at the source. `age` compares transaction ids the way Postgres does, across their wrap-around. */
function candidateSql({ table, from, longestTransaction }: IncrementRequest): string {
  const written = `age(xmin) <= age('${from.xmin % 2n ** 32n}'::xid)`;
  if (table.cursor === undefined) return written;
  // The cursor's index keeps the source from reading the whole table; the transaction id still decides.
  const since = `${literal(from.at)}::timestamptz - ${literal(`${longestTransaction} seconds`)}::interval`;
  return `${identifier(table.cursor)} >= (${since}) AND ${written}`;
}

async function readKeys(client: pg.Client, session: Session, table: TableDescription): Promise<number> {
  const keyed = { ...table, columns: table.columns.filter((column) => table.key.includes(column.name)) };
  const keys = { table: keyed, withTransaction: false };
  const reads = keyed.columns.map((column) => `${column.read} AS ${identifier(column.name)}`).join(", ");
  const copied = await copyThroughFifo(
    client,
    `SELECT ${sourceColumns(keys)} FROM ${sourceName(table)}`,
    (fifo) =>
      session.run(`CREATE OR REPLACE TABLE source_keys AS SELECT ${reads} FROM ${csvSql(keys, fifo)}`),
  );
  checkCount(table, copied.rows, await count(session, "source_keys"));
  return copied.bytes;
}

/** Keys whose newest change in bronze is no deletion and which the source no longer has. */
function deletionsSql({ table, to, bronze }: IncrementRequest): string {
  const key = identifiers(table.key);
  return `SELECT ${key}, 'd' AS ${META.operation}, ${to.lsn} AS ${META.lsn}, NULL::BIGINT AS ${META.transaction}, TIMESTAMPTZ ${literal(to.at)} AS ${META.ingestedAt}
    FROM (SELECT ${key} FROM (${bronze}) GROUP BY ${key} HAVING arg_max(${META.operation}, ${META.lsn}) <> 'd')
    ANTI JOIN source_keys USING (${key})`;
}

async function count(session: Session, name: string): Promise<number> {
  const rows = await session.rows(`SELECT count(*) AS rows FROM ${name}`);
  return Number(rows[0]?.rows);
}
