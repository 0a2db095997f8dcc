import type pg from "pg";
import { z } from "zod";
import { isPooled } from "../../layers/bronze/postgres/pooler.ts";
import { type CheckResult, failed, ok, warning } from "./check.ts";

const OLDEST = 13;
const NEWEST = 18;
/** Minutes after which an open transaction is worth a word; also how far a sync by cursor looks back by default. */
const LONG = 60;

const serverRow = z.object({
  version: z.number(),
  full: z.string(),
  user: z.string(),
  database: z.string(),
  replica: z.boolean(),
  pid: z.number(),
  walLevel: z.string(),
  mayReplicate: z.boolean(),
  slots: z.coerce.number(),
  mostSlots: z.coerce.number(),
  senders: z.coerce.number(),
  mostSenders: z.coerce.number(),
  /** Megabytes of WAL that are kept for slots at most; -1 for no limit. */
  keptMegabytes: z.coerce.number(),
  /** Milliseconds after which a silent consumer is taken for dead; 0 for never. */
  senderTimeout: z.coerce.number(),
  /** Seconds after which a slot that nobody reads is invalidated, since Postgres 18; 0 for never. */
  idleSeconds: z.coerce.number(),
  oldestMinutes: z.coerce.number().nullable(),
});

/** What a server says of itself and of this user. */
export type Server = z.infer<typeof serverRow>;

// Others' transactions show their start only to those who may see it; for the rest it is null, and max() skips it.
const SERVER_SQL = `
  SELECT current_setting('server_version_num')::int / 10000 AS version, current_setting('server_version') AS full,
         current_user::text AS user, current_database()::text AS database, pg_is_in_recovery() AS replica,
         pg_backend_pid() AS pid, current_setting('wal_level') AS "walLevel",
         coalesce((SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), false)
           OR EXISTS (SELECT FROM pg_roles WHERE rolname = 'rds_replication' AND pg_has_role(oid, 'MEMBER'))
           AS "mayReplicate",
         (SELECT count(*) FROM pg_replication_slots) AS slots,
         current_setting('max_replication_slots') AS "mostSlots",
         (SELECT count(*) FROM pg_stat_replication) AS senders,
         current_setting('max_wal_senders') AS "mostSenders",
         (SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS "keptMegabytes",
         (SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout') AS "senderTimeout",
         (SELECT setting FROM pg_settings WHERE name = 'idle_replication_slot_timeout') AS "idleSeconds",
         (SELECT extract(epoch FROM max(now() - xact_start)) / 60 FROM pg_stat_activity
           WHERE pid <> pg_backend_pid() AND backend_type = 'client backend') AS "oldestMinutes"`;

/**
 * Version, user, role, what stands between, and transactions that have been open for long. `captures`: whether
 * changes are captured, which asks for more.
 */
export async function checkServer(
  client: pg.Client,
  captures: boolean,
  kind?: string,
): Promise<{ readonly server: Server; readonly results: CheckResult[] }> {
  const server = serverRow.parse((await client.query(SERVER_SQL)).rows[0]);
  const { full, user, database, replica } = server;
  const about = [full, `database ${database} as ${user}`, replica ? "a replica" : undefined, kind];
  const results = [
    checkVersion(server.version, about.filter((part) => part !== undefined).join(", ")),
    ...checkPooler(client, server, captures),
    ...checkTransactions(server, captures),
  ];
  return { server, results };
}

function checkVersion(version: number, found: string): CheckResult {
  if (version < OLDEST) {
    return failed("Postgres", found, `Ingot needs Postgres ${OLDEST} to ${NEWEST}: upgrade with pg_upgrade.`);
  }
  if (version > NEWEST)
    return warning("Postgres", found, `Ingot is tested with Postgres ${OLDEST} to ${NEWEST}.`);
  return ok("Postgres", found);
}

/** A pooler greets with a process id of its own making; the server's is another one. */
function checkPooler(client: pg.Client, server: Server, captures: boolean): CheckResult[] {
  if (!isPooled(client, server.pid)) return [];
  const found = "a pooler such as pgBouncer stands between Ingot and the server";
  const direct = "Put the server's own host and port into DATABASE_URL, usually 5432";
  return [
    captures
      ? failed("pooler", `${found}: changes cannot be captured through it`, `${direct}.`)
      : warning(
          "pooler",
          found,
          `${direct}, or set pool_mode = session; change capture cannot go through one.`,
        ),
  ];
}

/** Transactions that have been open for long, as far as this user may see them. */
export function checkTransactions(
  { oldestMinutes }: Pick<Server, "oldestMinutes">,
  captures: boolean,
): CheckResult[] {
  if (oldestMinutes === null || oldestMinutes <= LONG) return [];
  const minutes = Math.round(oldestMinutes);
  const why = captures
    ? "if it writes, a load waits for its end before it begins"
    : "with a cursor, longestTransaction must reach back as far";
  return [
    warning(
      "long transactions",
      `one has been open for ${minutes} minutes; ${why}`,
      "See which: SELECT pid, xact_start, query FROM pg_stat_activity ORDER BY xact_start; end it: SELECT pg_terminate_backend(pid).",
    ),
  ];
}
