/** Postgres as the source: reached, understood, and with the rights that loads, syncs and change capture need. */
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { shareSnapshot } from "../../layers/bronze/postgres/snapshot.ts";
import type { PipelineDefinition } from "../../layers/definition/pipeline.ts";
import { CAPTURE_CHECKS, checkCapture, offerCapture } from "./capture-server.ts";
import {
  captureNames,
  captures,
  checkPublication,
  checkSelected,
  checkSlot,
  countNewSlots,
} from "./capture-source.ts";
import { attempt, type CheckResult, ok, skipped } from "./check.ts";
import { checkServer } from "./postgres-server.ts";
import { checkTables, tableNames } from "./postgres-tables.ts";

/** Long enough for any of the checks; a table that a migration has locked must not hold up the doctor. */
const BOUNDS = "SET lock_timeout = '5s'; SET statement_timeout = '30s'";

/**
 * The server, this user's rights, and every table of the pipelines; what change capture asks for only where it is
 * asked for. `kind` is told with what was found; `lake` is the id of the lake, where it has one.
 */
export async function checkPostgres(
  connectionString: string,
  pipelines: readonly PipelineDefinition[],
  { kind, lake }: { readonly kind?: "embedded" | undefined; readonly lake?: string | undefined } = {},
): Promise<CheckResult[]> {
  const client = await connect(connectionString);
  try {
    await client.query(BOUNDS);
    const captured = pipelines.some(captures);
    const { server, results } = await checkServer(client, captured, kind);
    results.push(...(await checkSnapshot(connectionString)));
    if (captured) {
      const needs = { newSlots: await countNewSlots(client, pipelines), isEmbedded: kind === "embedded" };
      results.push(...(await checkCapture(connectionString, server, needs)));
    } else {
      results.push(offerCapture(server));
    }
    for (const pipeline of pipelines) {
      const checked = await checkTables(client, server.user, pipeline, pipelines.length > 1);
      if (captures(pipeline)) {
        results.push(
          ...(await checkSlot(client, pipeline, lake)),
          ...(await checkSelected(server, pipeline)),
        );
        results.push(...(await checkPublication(client, server, pipeline, checked.tables)));
      }
      results.push(...checked.results);
    }
    return results;
  } finally {
    await disconnect(client);
  }
}

/** The checks that an unusable server leaves open. */
export function skipPostgres(pipelines: readonly PipelineDefinition[], why: string): CheckResult[] {
  const names = [
    "snapshot",
    ...(pipelines.some(captures) ? CAPTURE_CHECKS : ["change capture"]),
    ...pipelines.flatMap((pipeline) => [
      ...(captures(pipeline) ? captureNames(pipeline) : []),
      ...tableNames(pipeline, pipelines.length > 1),
    ]),
  ];
  return names.map((name) => skipped(name, why));
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
