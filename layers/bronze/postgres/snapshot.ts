/** One moment of the source, shared by every connection that reads it. */
import type pg from "pg";
import { z } from "zod";
import { literal } from "../../../lakehouse/duckdb/quote.ts";
import { connect, disconnect } from "./connect.ts";
import type { SlotSnapshot } from "./replication/slot-snapshot.ts";

/** A moment of the source database. */
export interface SourceMoment {
  /** Cluster, timeline and database: positions mean nothing on another one. */
  readonly source: string;
  /** `pg_snapshot` as text: xmin:xmax:xip_list, 64-bit transaction ids. */
  readonly snapshot: string;
  /** Oldest transaction that was still running: all before it are visible or aborted. */
  readonly xmin: bigint;
  /** First transaction id that was not yet given out. */
  readonly xmax: bigint;
  /** WAL position in bytes, as an integer. */
  readonly lsn: number;
  /** The server's clock, as text. */
  readonly at: string;
  /** When the oldest transaction began that was open then, as far as this user can see; at most `at`. */
  readonly oldest: string;
}

const momentSchema = z.object({
  source: z.string(),
  snapshot: z.string(),
  xmin: z.string().transform(BigInt),
  xmax: z.string().transform(BigInt),
  lsn: z.coerce.number().int(),
  at: z.string(),
  oldest: z.string(),
});

/** An exported snapshot; it lives until `end`. */
export interface SharedSnapshot {
  readonly moment: SourceMoment;
  /** Sees the moment too and holds it open: for the catalog and for locks, not for rows. */
  readonly control: pg.Client;
  /** A new connection inside a read-only transaction that sees exactly this moment; for the caller to disconnect. */
  reader(): Promise<pg.Client>;
  /** Why the moment, and the locks that `control` took, are no longer held; undefined while they are. */
  lost(): Error | undefined;
  end(): Promise<void>;
}

/** Names cluster, timeline and database: a position says nothing about another one. */
export const HISTORY_SQL = `format('cluster %s, timeline %s, database %s',
           (SELECT system_identifier FROM pg_control_system()),
           CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id::text FROM pg_control_checkpoint())
                ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int::text END,
           (SELECT oid FROM pg_database WHERE datname = current_database()))`;

// The LSN is read after the snapshot was taken, so it never lies before what the snapshot shows.
const MOMENT_SQL = `
  SELECT ${HISTORY_SQL} AS source,
         pg_current_snapshot()::text AS snapshot,
         pg_snapshot_xmin(pg_current_snapshot())::text AS xmin,
         pg_snapshot_xmax(pg_current_snapshot())::text AS xmax,
         ((CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END)
           - '0/0'::pg_lsn)::text AS lsn,
         now()::text AS at,
         least(now(), (SELECT min(xact_start) FROM pg_stat_activity), (SELECT min(prepared) FROM pg_prepared_xacts))::text AS oldest`;

/** Takes a snapshot and keeps it open for other connections. */
export async function shareSnapshot(connectionString: string): Promise<SharedSnapshot> {
  const client = await connect(connectionString);
  try {
    await client.query(BEGIN);
    const moment = await momentOf(client);
    const { rows } = await client.query<{ id: string }>("SELECT pg_export_snapshot() AS id");
    const id = z.string().parse(rows[0]?.id);
    return {
      moment,
      control: client,
      reader: () => openReader(connectionString, id),
      lost: watch(client),
      end: () => disconnect(client),
    };
  } catch (error) {
    await disconnect(client);
    throw error;
  }
}

/** Reads under the snapshot of a slot. Its moment lies exactly at the slot's consistent point. */
export async function shareSlotSnapshot(
  connectionString: string,
  slot: SlotSnapshot,
): Promise<SharedSnapshot> {
  const client = await openReader(connectionString, slot.snapshot);
  try {
    const moment = { ...(await momentOf(client)), lsn: Number(slot.lsn) };
    return {
      moment,
      control: client,
      reader: () => openReader(connectionString, slot.snapshot),
      lost: watch(client),
      end: async () => {
        await disconnect(client);
        await slot.end();
      },
    };
  } catch (error) {
    await disconnect(client);
    throw error;
  }
}

function watch(client: pg.Client): () => Error | undefined {
  let lost: Error | undefined;
  client.once("error", (error) => {
    lost ??= error;
  });
  client.once("end", () => {
    lost ??= new Error("Connection terminated");
  });
  return () => lost;
}

const BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

async function momentOf(client: pg.Client): Promise<SourceMoment> {
  const moment = momentSchema.parse((await client.query(MOMENT_SQL)).rows[0]);
  if (moment.xmax >= moment.xmin) return moment;
  // The snapshot of a slot may name as its end a transaction before its beginning: it shows all before the latter.
  return { ...moment, xmax: moment.xmin, snapshot: `${moment.xmin}:${moment.xmin}:` };
}

async function openReader(connectionString: string, id: string): Promise<pg.Client> {
  const client = await connect(connectionString, { bulk: true });
  try {
    await client.query(BEGIN);
    await client.query(`SET TRANSACTION SNAPSHOT ${literal(id)}`);
    return client;
  } catch (error) {
    await disconnect(client);
    throw error;
  }
}
