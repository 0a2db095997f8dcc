/** What the source says of the column of increasing ids by which a table is synced. */
import type pg from "pg";
import { z } from "zod";
import { identifier } from "../../../lakehouse/duckdb/quote.ts";
import { TerminalError } from "../../../lakehouse/errors.ts";
import type { TableDescription } from "../postgres/catalog.ts";
import { sourceName } from "../schema.ts";
import type { SeenIds } from "./id-marks.ts";

/** Whether the table's cursor is a column of increasing ids, and not one of moments. */
export const hasIdCursor = ({ cursor, columns, hasTransactionIds }: TableDescription): boolean =>
  hasTransactionIds &&
  cursor !== undefined &&
  columns.some(({ name, baseType }) => name === cursor && ["int2", "int4", "int8"].includes(baseType));

const sequenceRow = z.object({
  name: z.string(),
  cache: z.string(),
  increment: z.string(),
  cycle: z.boolean(),
});

// A sequence belongs to the column, as that of serial and identity columns, or stands in its default.
const SEQUENCES_SQL = `
  WITH places AS (
    SELECT attrelid, attnum FROM pg_attribute WHERE attrelid = ANY($1::text[]::oid[]) AND attname = $2),
  sequences AS (
    SELECT d.objid AS id FROM pg_depend d JOIN places p ON d.refobjid = p.attrelid AND d.refobjsubid = p.attnum
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
    UNION
    SELECT d.refobjid FROM pg_depend d JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
      JOIN places p ON a.adrelid = p.attrelid AND a.adnum = p.attnum
     WHERE d.refclassid = 'pg_class'::regclass)
  SELECT s.seqrelid::regclass::text AS name, s.seqcache::text AS cache, s.seqincrement::text AS increment,
         s.seqcycle AS cycle
    FROM pg_sequence s JOIN sequences ON sequences.id = s.seqrelid ORDER BY 1`;

/**
 * Refuses an id cursor whose sequence gives ids out of order: sessions that keep some in stock use low ones long after
 * others used higher ones.
 */
export async function checkIdSequence(client: pg.Client, table: TableDescription): Promise<void> {
  if (!hasIdCursor(table)) return;
  const { rows } = await client.query(SEQUENCES_SQL, [table.relations, table.cursor]);
  for (const { name, cache, increment, cycle } of z.array(sequenceRow).parse(rows)) {
    if (cache === "1" && !increment.startsWith("-") && !cycle) continue;
    const cached = cache !== "1";
    throw new TerminalError(`the ids of ${table.schema}.${table.name} do not come in order`, {
      code: cached ? "POSTGRES_CURSOR_CACHE" : "POSTGRES_CURSOR_ORDER",
      value: `sequence ${name}, ${cached ? `CACHE ${cache}` : cycle ? "CYCLE" : `INCREMENT ${increment}`}`,
      allowed: "a sequence that ascends, with CACHE 1 and without CYCLE",
      next: cached
        ? `Leave \`cursor\` out of the pipeline, or ALTER SEQUENCE ${name} CACHE 1 and wait until all sessions that use it have ended.`
        : "Leave `cursor` out of the pipeline: a sync then reads the table and keeps what is new.",
    });
  }
}

const runningRow = z.object({
  running: z.array(z.string()),
  standby: z.boolean(),
  now: z.number(),
  replayed: z.number(),
});

// Everybody may read both views; who is connected to other databases writes no rows here.
const RUNNING_SQL = `
  SELECT ARRAY(SELECT l.virtualtransaction FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
                WHERE l.locktype = 'virtualxid' AND l.virtualxid = l.virtualtransaction AND l.granted
                  AND (a.datid IS NULL OR a.datname = current_database())) AS running,
         pg_is_in_recovery() AS standby, extract(epoch FROM clock_timestamp())::float8 AS now,
         coalesce(extract(epoch FROM pg_last_xact_replay_timestamp()), 0)::float8 AS replayed`;

const UNTIL = "until ";

/**
 * What a sync sees of the ids. A standby does not know who runs on its primary: there `longest`, the seconds that a
 * transaction may stay open, have to pass in what it replays.
 */
export async function seeIds(
  client: pg.Client,
  table: TableDescription,
  xmax: bigint,
  longest: number,
): Promise<SeenIds> {
  const { rows } = await client.query<{ highest: string | null }>(
    `SELECT max(${identifier(table.cursor ?? "")})::text AS highest FROM ${sourceName(table)}`,
  );
  const highest = rows[0]?.highest;
  const { running, standby, now, replayed } = runningRow.parse((await client.query(RUNNING_SQL)).rows[0]);
  return {
    highest: highest === null || highest === undefined ? undefined : BigInt(highest),
    running: standby ? [`${UNTIL}${now + longest}`] : running,
    mayRun: (id) => (id.startsWith(UNTIL) ? Number(id.slice(UNTIL.length)) > replayed : running.includes(id)),
    xmax,
  };
}
