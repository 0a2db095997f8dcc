/**
 * What committed at the source since a table's position, found without logical replication.
 *
 * A row version is new when the transaction that wrote it (`xmin`) was not visible in the position's snapshot. Its
 * candidates are the rows whose xmin is not older than that snapshot's xmin: no row that committed late is missed.
 * Among the candidates those already in bronze are recognised by their transaction id. (Asking
 * `pg_visible_in_snapshot` instead would lose rows: snapshots do not list the ids of subtransactions that were still
 * running.)
 */

import { duckdbType } from "../../lakehouse/delta/schema.ts";
import type { Snapshot } from "../../lakehouse/delta/snapshot.ts";
import type { Staged } from "../../lakehouse/delta/stage.ts";
import type { DeltaTable } from "../../lakehouse/delta/table.ts";
import type { Session } from "../../lakehouse/duckdb/duckdb.ts";
import { identifier, identifiers, literal } from "../../lakehouse/duckdb/quote.ts";
import { META } from "../definition/bronze-columns.ts";
import { currentStateSql } from "../definition/bronze-state.ts";
import type { ColumnPlan } from "./capture/drift.ts";
import { csvSql } from "./csv.ts";
import type { Reading } from "./full-load.ts";
import { withKeyChecks } from "./key-values.ts";
import type { Position } from "./position.ts";
import type { TableDescription } from "./postgres/catalog.ts";
import type { CopyOptions } from "./postgres/copy.ts";
import type { SourceMoment } from "./postgres/snapshot.ts";
import { type LockedTable, readPart } from "./query/read-part.ts";
import { changesSql } from "./rows.ts";
import { copyFields, sourceColumns } from "./schema.ts";

/** A source table whose columns go into those of bronze. */
interface FollowedTable extends TableDescription {
  readonly columns: readonly ColumnPlan[];
}

/** Where the cursor says to look: everywhere, from a moment on (SQL for the source), or behind an id. */
export type Since = "everywhere" | { readonly at: string } | { readonly id: bigint };

export interface IncrementRequest {
  readonly table: FollowedTable;
  readonly from: Position;
  readonly to: SourceMoment;
  readonly since: Since;
  /** Whether all rows are taken, changed or not. */
  readonly retake: boolean;
  readonly compareDeletes: boolean;
  /** The bronze table at the version that holds `from`. */
  readonly base: Snapshot;
  /** SQL of its rows. */
  readonly bronze: string;
  readonly reading: Reading;
}

/** What an increment holds, staged. */
export interface Increment {
  readonly staged: Staged;
  readonly bytesRead: number;
  readonly deleted: number;
}

/** Stages the new rows and, where asked, the deletions. */
export async function stageIncrement(
  source: LockedTable,
  session: Session,
  target: DeltaTable,
  request: IncrementRequest,
  options: CopyOptions,
): Promise<Increment> {
  const { table, from, base } = request;
  // Partitions attached since the position hold rows that were written before it: they are read whole.
  const joined = table.relations.filter((id) => !from.relations.includes(id));
  const known = table.relations.filter((id) => from.relations.includes(id));
  const inJoined = `tableoid IN (${joined.map((id) => `${literal(id)}::oid`).join(", ")})`;
  const candidates =
    joined.length > 0 ? `${candidateSql(request)} AND NOT ${inJoined}` : candidateSql(request);
  const indexed = request.since !== "everywhere";
  const read = (part: RowsPart) => readRows(source, session, request, part, options);
  let bytesRead = await read({ name: "candidates", where: candidates, relations: known, indexed });
  const parts = [newRowsSql(request)];
  if (joined.length > 0) {
    bytesRead += await read({ name: "joined", where: inJoined, relations: joined, indexed: false });
    parts.push("SELECT * FROM joined");
  }
  let deleted = 0;
  if (request.compareDeletes) {
    bytesRead += await readKeys(source, session, request, options);
    await session.run(`CREATE TABLE deletions AS ${deletionsSql(request)}`);
    const [counted] = await session.rows("SELECT count(*) AS rows FROM deletions");
    deleted = Number(counted?.rows);
    parts.push("SELECT * FROM deletions");
  }
  const staged = await target.stage(session, inBronze(request, parts.join(" UNION ALL BY NAME ")), base);
  return { staged, bytesRead, deleted };
}

/** The rows in the columns of bronze, of which the source may have lost some. */
function inBronze({ table, base }: IncrementRequest, rows: string): string {
  const given = new Set([...Object.values<string>(META), ...table.columns.map(({ name }) => name)]);
  const columns = base.schema.fields.map(({ name, type }) =>
    given.has(name) ? identifier(name) : `NULL::${duckdbType(type)} AS ${identifier(name)}`,
  );
  return `SELECT ${columns.join(", ")} FROM (${rows})`;
}

interface RowsPart {
  readonly name: string;
  readonly where: string;
  readonly relations: readonly string[];
  readonly indexed: boolean;
}

/** Reads rows of the source into a table of the session; answers the bytes that came. */
function readRows(
  source: LockedTable,
  session: Session,
  { table, to, reading }: IncrementRequest,
  part: RowsPart,
  options: CopyOptions,
): Promise<number> {
  const withTransaction = table.hasTransactionIds;
  const shape = { table, withTransaction };
  const { mode, note: _note, ...csv } = reading;
  const names = identifiers(table.columns.map(({ name }) => name));
  const columns = sourceColumns(shape);
  return readPart(
    source,
    session,
    {
      ...part,
      columns,
      names: withTransaction ? `${names}, xmin, tableoid` : names,
      select: (file) => changesSql(shape, csvSql(copyFields(shape, mode), file, csv), to, "u", mode),
      csv,
    },
    options,
  );
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
  if (from.xmin === from.xmax || from.mixed || request.retake) return "SELECT * FROM candidates";
  const { transaction } = META;
  return `SELECT * FROM candidates ANTI JOIN (SELECT ${transaction} FROM (${bronze}) WHERE ${transaction} >= ${from.xmin}) USING (${transaction})`;
}

/**
 * Rows that bronze does not have as they are now: of what shows no transaction ids, as a view, everything is read and
 * compared. Rows without key are compared by how often they are there.
 */
function changedRowsSql({ table, bronze }: IncrementRequest): string {
  const names = table.columns.filter(({ hasPlace }) => hasPlace).map(({ name }) => name);
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
function candidateSql({ table, from, since, retake }: IncrementRequest): string {
  if (!table.hasTransactionIds || retake) return "true";
  const written = `age(xmin) BETWEEN 0 AND age('${from.xmin % 2n ** 32n}'::xid)`;
  if (since === "everywhere" || table.cursor === undefined) return written;
  // The cursor's index keeps the source from reading the whole table; the transaction id still decides.
  const cursor = identifier(table.cursor);
  const recent = "id" in since ? `${cursor} > ${since.id}` : `${cursor} >= ${since.at}`;
  return `${table.cursorMayBeNull ? `(${cursor} IS NULL OR ${recent})` : recent} AND ${written}`;
}

/** Reads the keys that the source has into `source_keys`. */
function readKeys(
  source: LockedTable,
  session: Session,
  { table, reading }: IncrementRequest,
  { rate }: CopyOptions,
): Promise<number> {
  const { mode, note: _note, ...csv } = reading;
  const own = table.columns.filter(({ name }) => table.key.includes(name));
  const keys = { table: { ...table, columns: own }, withTransaction: false };
  const values = withKeyChecks(own, table.key, mode)
    .map((column) => `${column[mode]} AS ${identifier(column.name)}`)
    .join(", ");
  return readPart(
    source,
    session,
    {
      name: "source_keys",
      columns: sourceColumns(keys),
      names: identifiers(table.key),
      where: "true",
      select: (file) => `SELECT ${values} FROM ${csvSql(copyFields(keys, mode), file, csv)}`,
      csv,
    },
    { rate },
  );
}

/** Keys whose newest change in bronze is no deletion and which the source no longer has. */
function deletionsSql({ table, to, bronze }: IncrementRequest): string {
  const key = identifiers(table.key);
  return `SELECT ${key}, 'd' AS ${META.operation}, ${to.lsn} AS ${META.lsn}, 0 AS ${META.sequence}, TIMESTAMPTZ ${literal(to.at)} AS ${META.ingestedAt}
    FROM (SELECT ${key} FROM (${bronze}) GROUP BY ${key} HAVING arg_max(${META.operation}, ${META.lsn}) <> 'd')
    ANTI JOIN source_keys USING (${key})`;
}
