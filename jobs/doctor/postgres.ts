/** Postgres as the source: reached, understood, and with the rights that loads, syncs and change capture need. */
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { shareSnapshot } from "../../layers/bronze/postgres/snapshot.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { attempt, type CheckResult, ok, skipped } from "./check.ts";
import { checkCapture, checkServer, SERVER_CHECKS } from "./postgres-server.ts";
import { checkTables, tableNames } from "./postgres-tables.ts";

/** Long enough for any of the checks; a table that a migration has locked must not hold up the doctor. */
const BOUNDS = "SET lock_timeout = '5s'; SET statement_timeout = '30s'";

/** The server, this user's rights, and every table of the pipelines. `kind` is told with what was found. */
export async function checkPostgres(
  connectionString: string,
  pipelines: readonly PipelineDefinition[],
  kind?: string,
): Promise<CheckResult[]> {
  const client = await connect(connectionString);
  try {
    await client.query(BOUNDS);
    const { server, results } = await checkServer(client, kind);
    return [
      ...results,
      ...(await checkSnapshot(connectionString)),
      ...checkCapture(server),
      ...(await checkTables(client, server.user, pipelines)),
    ];
  } finally {
    await disconnect(client);
  }
}

/** The checks that an unusable server leaves open. */
export function skipPostgres(pipelines: readonly PipelineDefinition[], why: string): CheckResult[] {
  return ["snapshot", ...SERVER_CHECKS, ...tableNames(pipelines)].map((name) => skipped(name, why));
}

/** Two connections read at one moment, as every load does: what a pooler or missing rights would spoil. */
function checkSnapshot(connectionString: string): Promise<readonly CheckResult[]> {
  const fix =
    "Connect to the server itself, not through a pooler: the port of Postgres in DATABASE_URL, usually 5432.";
  return attempt("snapshot", fix, async () => {
    const shared = await shareSnapshot(connectionString);
    try {
      await disconnect(await shared.reader());
      return ok("snapshot", "two connections read at one moment");
    } finally {
      await shared.end();
    }
  });
}
