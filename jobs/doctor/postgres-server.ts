import type pg from "pg";
import { z } from "zod";
import { identifier } from "../../lakehouse/duckdb/quote.ts";
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
  mayPublish: z.boolean(),
  slots: z.coerce.number(),
  mostSlots: z.coerce.number(),
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
         has_database_privilege(current_database(), 'CREATE') AS "mayPublish",
         (SELECT count(*) FROM pg_replication_slots) AS slots,
         current_setting('max_replication_slots') AS "mostSlots",
         (SELECT extract(epoch FROM max(now() - xact_start)) / 60 FROM pg_stat_activity
           WHERE pid <> pg_backend_pid() AND backend_type = 'client backend') AS "oldestMinutes"`;

/** Version, user, role, what stands between, and transactions that have been open for long. */
export async function checkServer(
  client: pg.Client,
  kind?: string,
): Promise<{ readonly server: Server; readonly results: CheckResult[] }> {
  const server = serverRow.parse((await client.query(SERVER_SQL)).rows[0]);
  const { full, user, database, replica } = server;
  const about = [full, `database ${database} as ${user}`, replica ? "a replica" : undefined, kind];
  const results = [
    checkVersion(server.version, about.filter((part) => part !== undefined).join(", ")),
    ...checkPooler(client, server),
    ...checkTransactions(server),
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
function checkPooler(client: pg.Client, server: Server): CheckResult[] {
  const { processID } = client as unknown as { readonly processID: number | null };
  if (processID === null || processID === server.pid) return [];
  return [
    warning(
      "pooler",
      "a pooler such as pgBouncer stands between Ingot and the server",
      "Put the server's own host and port into DATABASE_URL, or set pool_mode = session; change capture cannot go through one.",
    ),
  ];
}

/** Transactions that have been open for long, as far as this user may see them. */
export function checkTransactions({ oldestMinutes }: Pick<Server, "oldestMinutes">): CheckResult[] {
  if (oldestMinutes === null || oldestMinutes <= LONG) return [];
  const minutes = Math.round(oldestMinutes);
  return [
    warning(
      "long transactions",
      `one has been open for ${minutes} minutes; with a cursor, longestTransaction must reach back as far`,
      "See which: SELECT pid, xact_start, query FROM pg_stat_activity ORDER BY xact_start; end it: SELECT pg_terminate_backend(pid).",
    ),
  ];
}

/** Names of what `checkCapture` gives. */
export const SERVER_CHECKS = ["wal_level", "replication right", "replication slots", "publication right"];

/** What change capture needs. Loads and syncs need none of it, so nothing here is a failure. */
export function checkCapture(server: Server): CheckResult[] {
  const { walLevel, mayReplicate, mayPublish, slots, mostSlots, user, database } = server;
  const free = mostSlots - slots;
  const on = server.replica ? "On the primary: " : "";
  return [
    walLevel === "logical"
      ? ok("wal_level", "logical")
      : warning(
          "wal_level",
          `${walLevel}: loads and syncs work, change capture would not`,
          `${on}ALTER SYSTEM SET wal_level = 'logical'; then restart Postgres.\nOn RDS: rds.logical_replication = 1 in the parameter group, then reboot.`,
        ),
    mayReplicate
      ? ok("replication right", `${user} has it`)
      : warning(
          "replication right",
          `${user} lacks it, change capture would need it`,
          `${on}ALTER ROLE ${identifier(user)} REPLICATION;\nOn RDS: GRANT rds_replication TO ${identifier(user)};`,
        ),
    free > 0
      ? ok("replication slots", `${free} of ${mostSlots} are free`)
      : warning(
          "replication slots",
          `none of ${mostSlots} is free, change capture would need one`,
          `${on}ALTER SYSTEM SET max_replication_slots = ${mostSlots + 5}; then restart Postgres.\nOr drop one that nobody uses: SELECT slot_name FROM pg_replication_slots WHERE NOT active;`,
        ),
    mayPublish
      ? ok("publication right", `${user} may create publications`)
      : warning(
          "publication right",
          `${user} may not create a publication, change capture would need one`,
          `${on}GRANT CREATE ON DATABASE ${identifier(database)} TO ${identifier(user)};\nOr have the tables' owner create the publication.`,
        ),
  ];
}
