/**
 * What committed at the source since a table's position, found without logical replication.
 *
 * A row version is new when the transaction that wrote it (`xmin`) was not visible in the position's snapshot. Its
 * candidates are the rows whose xmin is not older than that snapshot's xmin: no row that committed late is missed. Among the candidates those already in bronze are recognised by their transaction
 * id. (Asking `pg_visible_in_snapshot` instead would lose rows: snapshots do not list the ids of
 * subtransactions that were still running.)
 */
import type pg from "pg";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, identifiers, literal } from "../../lakehouse/duckdb/quote.ts";
import { META } from "../definition/bronze-columns.ts";
import { csvSql, readingCsv } from "./csv.ts";
import { changesSql, checkCount } from "./full-load.ts";
import type { Position } from "./position.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import { copyThroughFifo } from "./postgres/copy.ts";
import type { SourceMoment } from "./postgres/snapshot.ts";
import { bronzeSchema, sourceColumns, sourceName } from "./schema.ts";

export interface IncrementRequest {
  readonly table: TableDescription;
  readonly from: Position;
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
  const { table, from } = request;
  // Partitions attached since the position hold rows that were written before it: they are read whole.
  const joined = table.relations.filter((id) => !from.relations.includes(id));
  const inJoined = `tableoid IN (${joined.map((id) => `${literal(id)}::oid`).join(", ")})`;
  const candidates =
    joined.length > 0 ? `${candidateSql(request)} AND NOT ${inJoined}` : candidateSql(request);
  let bytesRead = await readRows(client, session, request, "candidates", candidates, onArrival);
  const parts = [newRowsSql(request)];
  if (joined.length > 0) {
    bytesRead += await readRows(client, session, request, "joined", inJoined, onArrival);
    parts.push("SELECT * FROM joined");
  }
  let deleted = 0;
  if (request.compareDeletes) {
    bytesRead += await readKeys(client, session, table);
    await session.run(`CREATE TABLE deletions AS ${deletionsSql(request)}`);
    deleted = await count(session, "deletions");
    parts.push("SELECT * FROM deletions");
  }
  const staged = await target.stage(session, parts.join(" UNION ALL BY NAME "), bronzeSchema(table));
  return { staged, bytesRead, deleted };
}

/** Reads rows of the source into a table of the session; answers the bytes that came. */
async function readRows(
  client: pg.Client,
  session: Session,
  { table, to }: IncrementRequest,
  name: string,
  where: string,
  onArrival: (bytes: number, rows: number) => void,
): Promise<number> {
  const shape = { table, withTransaction: true };
  const copied = await copyThroughFifo(
    client,
    `SELECT ${sourceColumns(shape)} FROM ${sourceName(table)} WHERE ${where}`,
    (fifo) =>
      readingCsv(table, () =>
        session.run(`CREATE TABLE ${name} AS ${changesSql(shape, csvSql(shape, fifo), to, "u")}`),
      ),
    onArrival,
  );
  checkCount(table, copied.rows, await count(session, name));
  return copied.bytes;
}

/**
 * Candidates that the position's snapshot did not show. It showed all that a transaction had written, or nothing of
 * it, so the transactions that bronze has rows of tell. Where all transactions before the snapshot's end had
 * finished, no candidate can have been visible.
 */
function newRowsSql({ from, bronze }: IncrementRequest): string {
  if (from.xmin === from.xmax) return "SELECT * FROM candidates";
  const { transaction } = META;
  return `SELECT * FROM candidates ANTI JOIN (SELECT ${transaction} FROM (${bronze}) WHERE ${transaction} >= ${from.xmin}) USING (${transaction})`;
}

/**
 * The condition at the source. `age` counts transactions back from now, modulo 2^32: it is negative for rows that
 * were written more than 2^31 transactions ago, which still show the id of their writer.
 */
function candidateSql({ table, from, longestTransaction }: IncrementRequest): string {
  const written = `age(xmin) BETWEEN 0 AND age('${from.xmin % 2n ** 32n}'::xid)`;
  if (table.cursor === undefined) return written;
  // The cursor's index keeps the source from reading the whole table; the transaction id still decides.
  const longest = `${literal(from.at)}::timestamptz - ${literal(`${longestTransaction} seconds`)}::interval`;
  const cursor = identifier(table.cursor);
  const since = `${cursor} >= least(${longest}, ${literal(from.oldest)}::timestamptz)`;
  return `${table.cursorMayBeNull ? `(${cursor} IS NULL OR ${since})` : since} AND ${written}`;
}

async function readKeys(client: pg.Client, session: Session, table: TableDescription): Promise<number> {
  const keyed = { ...table, columns: table.columns.filter((column) => table.key.includes(column.name)) };
  const keys = { table: keyed, withTransaction: false };
  const reads = keyed.columns.map((column) => `${column.read} AS ${identifier(column.name)}`).join(", ");
  const copied = await copyThroughFifo(
    client,
    `SELECT ${sourceColumns(keys)} FROM ${sourceName(table)}`,
    (fifo) =>
      readingCsv(keyed, () =>
        session.run(`CREATE TABLE source_keys AS SELECT ${reads} FROM ${csvSql(keys, fifo)}`),
      ),
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
