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
import { currentStateSql } from "../definition/bronze-state.ts";
import { csvSql, type ReadMode, readingCsv } from "./csv.ts";
import { checkCount } from "./full-load.ts";
import type { Position } from "./position.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import { type CopyOptions, copyThroughFifo } from "./postgres/copy.ts";
import type { SourceMoment } from "./postgres/snapshot.ts";
import { changesSql } from "./rows.ts";
import { bronzeSchema, copyFields, sourceColumns, sourceName } from "./schema.ts";

export interface IncrementRequest {
  readonly table: TableDescription;
  readonly from: Position;
  readonly to: SourceMoment;
  /** Seconds that a transaction may stay open; only with a cursor. */
  readonly longestTransaction: number;
  readonly compareDeletes: boolean;
  /** SQL of the bronze table at the version that holds `from`. */
  readonly bronze: string;
  readonly mode: ReadMode;
}

/** What an increment holds, staged. */
export interface Increment {
  readonly staged: Staged;
  readonly bytesRead: number;
  readonly deleted: number;
}

/** Stages the new rows and, where asked, the deletions. */
export async function stageIncrement(
  client: pg.Client,
  session: Session,
  target: DeltaTable,
  request: IncrementRequest,
  options: CopyOptions,
): Promise<Increment> {
  const { table, from } = request;
  // Partitions attached since the position hold rows that were written before it: they are read whole.
  const joined = table.relations.filter((id) => !from.relations.includes(id));
  const inJoined = `tableoid IN (${joined.map((id) => `${literal(id)}::oid`).join(", ")})`;
  const candidates =
    joined.length > 0 ? `${candidateSql(request)} AND NOT ${inJoined}` : candidateSql(request);
  let bytesRead = await readRows(client, session, request, "candidates", candidates, options);
  const parts = [newRowsSql(request)];
  if (joined.length > 0) {
    bytesRead += await readRows(client, session, request, "joined", inJoined, options);
    parts.push("SELECT * FROM joined");
  }
  let deleted = 0;
  if (request.compareDeletes) {
    bytesRead += await readKeys(client, session, request, options);
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
  { table, to, mode }: IncrementRequest,
  name: string,
  where: string,
  options: CopyOptions,
): Promise<number> {
  const shape = { table, withTransaction: table.hasTransactionIds };
  const copied = await copyThroughFifo(
    client,
    `SELECT ${sourceColumns(shape)} FROM ${sourceName(table)} WHERE ${where}`,
    (fifo) =>
      readingCsv(table, () =>
        session.run(
          `CREATE TABLE ${name} AS ${changesSql(shape, csvSql(copyFields(shape, mode), fifo), to, "u", mode)}`,
        ),
      ),
    options,
  );
  checkCount(table, copied.rows, await count(session, name));
  return copied.bytes;
}

/**
 * Candidates that the position's snapshot did not show. It showed all that a transaction had written, or nothing of
 * it, so the transactions that bronze has rows of tell. Where all transactions before the snapshot's end had
 * finished, no candidate can have been visible.
 */
function newRowsSql(request: IncrementRequest): string {
  const { table, from, bronze } = request;
  if (!table.hasTransactionIds) return changedRowsSql(request);
  // Where a load was interrupted and went on, bronze has rows of transactions of which it did not take everything.
  // All candidates are taken again then; a change that is there twice is the same state twice.
  if (from.xmin === from.xmax || from.mixed) return "SELECT * FROM candidates";
  const { transaction } = META;
  return `SELECT * FROM candidates ANTI JOIN (SELECT ${transaction} FROM (${bronze}) WHERE ${transaction} >= ${from.xmin}) USING (${transaction})`;
}

/**
 * Rows that bronze does not have as they are now: of what shows no transaction ids, as a view, everything is read and
 * compared. Rows without key are compared by how often they are there.
 */
function changedRowsSql({ table, bronze }: IncrementRequest): string {
  const names = table.columns.map((column) => column.name);
  const compared = [...names, META.rescued];
  if (table.key.length > 0) {
    const same = compared.map((name) => `c.${identifier(name)} IS NOT DISTINCT FROM b.${identifier(name)}`);
    return `SELECT c.* FROM candidates c ANTI JOIN (${currentStateSql(bronze, table.key, names)}) b ON ${same.join(" AND ")}`;
  }
  const nth = `row_number() OVER (PARTITION BY ${identifiers(compared)}) AS nth`;
  const same = [...compared, "nth"].map(
    (name) => `c.${identifier(name)} IS NOT DISTINCT FROM b.${identifier(name)}`,
  );
  return `SELECT c.* EXCLUDE (nth) FROM (SELECT *, ${nth} FROM candidates) c
    ANTI JOIN (SELECT *, ${nth} FROM (${currentStateSql(bronze, [], names)})) b ON ${same.join(" AND ")}`;
}

/**
 * The condition at the source. `age` counts transactions back from now, modulo 2^32: it is negative for rows that
 * were written more than 2^31 transactions ago, which still show the id of their writer.
 */
function candidateSql({ table, from, longestTransaction }: IncrementRequest): string {
  if (!table.hasTransactionIds) return "true";
  const written = `age(xmin) BETWEEN 0 AND age('${from.xmin % 2n ** 32n}'::xid)`;
  if (table.cursor === undefined) return written;
  // The cursor's index keeps the source from reading the whole table; the transaction id still decides.
  const longest = `${literal(from.at)}::timestamptz - ${literal(`${longestTransaction} seconds`)}::interval`;
  const cursor = identifier(table.cursor);
  const since = `${cursor} >= least(${longest}, ${literal(from.oldest)}::timestamptz)`;
  return `${table.cursorMayBeNull ? `(${cursor} IS NULL OR ${since})` : since} AND ${written}`;
}

async function readKeys(
  client: pg.Client,
  session: Session,
  { table, mode }: IncrementRequest,
  { rate }: CopyOptions,
): Promise<number> {
  const keyed = { ...table, columns: table.columns.filter((column) => table.key.includes(column.name)) };
  const keys = { table: keyed, withTransaction: false };
  const reads = keyed.columns.map((column) => `${column[mode]} AS ${identifier(column.name)}`).join(", ");
  const copied = await copyThroughFifo(
    client,
    `SELECT ${sourceColumns(keys)} FROM ${sourceName(table)}`,
    (fifo) =>
      readingCsv(keyed, () =>
        session.run(
          `CREATE TABLE source_keys AS SELECT ${reads} FROM ${csvSql(copyFields(keys, mode), fifo)}`,
        ),
      ),
    { rate },
  );
  checkCount(table, copied.rows, await count(session, "source_keys"));
  return copied.bytes;
}

/** Keys whose newest change in bronze is no deletion and which the source no longer has. */
function deletionsSql({ table, to, bronze }: IncrementRequest): string {
  const key = identifiers(table.key);
  return `SELECT ${key}, 'd' AS ${META.operation}, ${to.lsn} AS ${META.lsn}, 0 AS ${META.sequence}, TIMESTAMPTZ ${literal(to.at)} AS ${META.ingestedAt}
    FROM (SELECT ${key} FROM (${bronze}) GROUP BY ${key} HAVING arg_max(${META.operation}, ${META.lsn}) <> 'd')
    ANTI JOIN source_keys USING (${key})`;
}

async function count(session: Session, name: string): Promise<number> {
  const rows = await session.rows(`SELECT count(*) AS rows FROM ${name}`);
  return Number(rows[0]?.rows);
}
