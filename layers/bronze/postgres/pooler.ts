/**
 * Poolers between Ingot and Postgres, such as PgBouncer. One that gives a client a server for a transaction only
 * takes away what Ingot lives on: settings of a session, exported snapshots, replication.
 */
import type pg from "pg";
import { messageOf, TerminalError } from "../../../lakehouse/errors.ts";

/** The id of the server process as it was told when the connection began; poolers tell one of their own making. */
function toldProcess(client: pg.Client): number | undefined {
  return (client as unknown as { readonly processID?: number | null }).processID ?? undefined;
}

/** Whether something other than a server process answered the connection. */
export function isPooled(client: pg.Client, backend: number): boolean {
  const told = toldProcess(client);
  return told !== undefined && told !== backend;
}

/**
 * Whether the pooler takes servers away between transactions: a second client then gets the one that this client has
 * just used, or this client another one than before.
 */
export async function losesSessions(client: pg.Client, second: pg.Client): Promise<boolean> {
  const before = await backendOf(client);
  await second.query("BEGIN");
  try {
    return (await backendOf(second)) === before || (await backendOf(client)) !== before;
  } finally {
    await second.query("ROLLBACK");
  }
}

async function backendOf(client: pg.Client): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return rows[0]?.pid;
}

/** Whether a connection was refused by a pooler that does not know what was asked for. */
export const isPoolerRefusal = (error: unknown): boolean =>
  /unsupported startup parameter|unsupported pkt type|not allowed in statement pooling mode/i.test(
    messageOf(error),
  );

export function pooledError(address: string, cause?: unknown): TerminalError {
  return new TerminalError(`a pooler such as PgBouncer stands between Ingot and Postgres at ${address}`, {
    code: "POSTGRES_POOLED",
    value: cause === undefined ? "it changes the server between transactions" : messageOf(cause),
    allowed: "a direct connection, or a pooler in session mode where changes are not captured from the WAL",
    next: "Give DATABASE_URL the address of Postgres itself, usually port 5432, or pool_mode = session for this user. A few connections are enough: limits.connections bounds them.",
    cause,
  });
}
