import type pg from "pg";
import { z } from "zod";
import { describeTable } from "../../layers/bronze/postgres/catalog.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { attempt, type CheckResult, failed, ok, warning } from "./check.ts";

const OLDEST = 13;
const NEWEST = 18;

const serverRow = z.object({
  version: z.coerce.number(),
  full: z.string(),
  user: z.string(),
  database: z.string(),
  replica: z.boolean(),
  walLevel: z.string(),
  mayReplicate: z.boolean(),
  mayPublish: z.boolean(),
  slots: z.coerce.number(),
  mostSlots: z.coerce.number(),
  oldestMinutes: z.coerce.number().nullable(),
});

const SERVER_SQL = `
  SELECT current_setting('server_version_num')::int / 10000 AS version, current_setting('server_version') AS full,
         current_user::text AS user, current_database()::text AS database, pg_is_in_recovery() AS replica,
         current_setting('wal_level') AS "walLevel",
         coalesce((SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), false)
           OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname = 'rds_replication' AND pg_has_role(current_user, r.oid, 'member'))
           AS "mayReplicate",
         has_database_privilege(current_database(), 'CREATE') AS "mayPublish",
         (SELECT count(*) FROM pg_replication_slots) AS slots,
         current_setting('max_replication_slots') AS "mostSlots",
         (SELECT extract(epoch FROM max(now() - xact_start)) / 60 FROM pg_stat_activity
           WHERE pid <> pg_backend_pid() AND backend_type = 'client backend') AS "oldestMinutes"`;

/** The server, this user's rights, and every table of the pipelines. */
export async function checkPostgres(
  connectionString: string,
  pipelines: readonly PipelineDefinition[],
): Promise<CheckResult[]> {
  const client = await connect(connectionString);
  try {
    const server = serverRow.parse((await client.query(SERVER_SQL)).rows[0]);
    return [...checkServer(server), ...(await checkTables(client, pipelines))];
  } finally {
    await disconnect(client);
  }
}

type Server = z.infer<typeof serverRow>;

function checkServer(server: Server): CheckResult[] {
  const { version, full, user, database, replica } = server;
  const found = `${full}, database ${database} as ${user}${replica ? ", a replica" : ""}`;
  const results: CheckResult[] = [];
  if (version < OLDEST)
    results.push(failed("Postgres", found, `Ingot needs Postgres ${OLDEST} to ${NEWEST}.`));
  else if (version > NEWEST)
    results.push(warning("Postgres", found, `Ingot knows Postgres ${OLDEST} to ${NEWEST}.`));
  else results.push(ok("Postgres", found));
  results.push(...checkReplication(server));
  if (server.oldestMinutes !== null && server.oldestMinutes > 60) {
    const minutes = Math.round(server.oldestMinutes);
    const fix =
      "With a `cursor`, set `longestTransaction` (seconds) above that, or rows it commits are not seen; or end it: SELECT pid, query FROM pg_stat_activity ORDER BY xact_start.";
    results.push(warning("long transactions", `one has been open for ${minutes} minutes`, fix));
  }
  return results;
}

/** What change capture will need. Cursor sync and loads need none of it, so nothing here is a failure. */
function checkReplication({
  walLevel,
  mayReplicate,
  mayPublish,
  slots,
  mostSlots,
  user,
}: Server): CheckResult[] {
  return [
    walLevel === "logical"
      ? ok("wal_level", "logical")
      : warning(
          "wal_level",
          `${walLevel}: loads and syncs work, change capture would not`,
          "ALTER SYSTEM SET wal_level = 'logical', then restart; on RDS: rds.logical_replication = 1 in the parameter group.",
        ),
    mayReplicate
      ? ok("replication right", `${user} has it; ${mostSlots - slots} of ${mostSlots} slots are free`)
      : warning(
          "replication right",
          `${user} lacks it`,
          `ALTER ROLE "${user}" REPLICATION; on RDS: GRANT rds_replication TO "${user}".`,
        ),
    mayPublish
      ? ok("publication right", `${user} may create publications`)
      : warning(
          "publication right",
          `${user} may not`,
          `GRANT CREATE ON DATABASE … TO "${user}", or have an owner create the publication.`,
        ),
  ];
}

async function checkTables(
  client: pg.Client,
  pipelines: readonly PipelineDefinition[],
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const pipeline of pipelines) {
    for (const [name, wanted] of Object.entries(pipeline.source.tables)) {
      const label = `table ${wanted.schema ?? "public"}.${name}`;
      results.push(
        ...(await attempt(label, async () => {
          const table = await describeTable(client, name, wanted);
          const key = table.key.length > 0 ? `key ${table.key.join(", ")}` : "append-only";
          const cursor = table.cursor ? `, cursor ${table.cursor}` : "";
          return ok(label, `${table.columns.length} columns, ${key}${cursor}`);
        })),
      );
    }
  }
  return results;
}
