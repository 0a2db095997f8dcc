import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { codeOf, messageOf, TerminalError, TransientError } from "../../lakehouse/errors.ts";
import type { Cluster } from "./cluster.ts";
import { readPassword } from "./initialise.ts";
import { lastLines, type Postmaster } from "./postmaster.ts";
import { birthOf, hasEnded } from "./processes.ts";

/** Connections that a client closed a moment ago are still listed for about this long, in milliseconds. */
const LINGER = 300;
const PAUSE = 20;
const OTHERS = `SELECT FROM pg_stat_activity
  WHERE backend_type IN ('client backend', 'walsender') AND pid <> pg_backend_pid() LIMIT 1`;

/**
 * One idle connection that tells other processes that this one uses the server. Does not keep this process alive,
 * and ends with it however it ends.
 */
export interface Presence {
  query(sql: string, parameters?: readonly string[]): Promise<pg.QueryResultRow[]>;
  /** Whether another client or a replication consumer is connected, of this or any other process. */
  othersAreConnected(): Promise<boolean>;
  end(): Promise<void>;
}

/**
 * Connects as soon as the server accepts it; `undefined` when the server ended instead.
 * @throws TransientError `POSTGRES_NOT_READY` when it does neither in time.
 * @throws TerminalError `POSTGRES_PASSWORD` when the server does not take the cluster's password.
 */
export async function joinServer(
  cluster: Cluster,
  server: Postmaster,
  deadline: number,
): Promise<Presence | undefined> {
  const password = await readPassword(cluster);
  for (;;) {
    let failure: unknown;
    try {
      return await connect(cluster, server.port, password);
    } catch (error) {
      failure = error;
    }
    const isStranger = failure instanceof TerminalError || codeOf(failure)?.startsWith("28");
    // A stranger answers where our server lost its port to another: ours then is about to end.
    if (await hasEnded(server.pid, server.birth, isStranger ? 2_000 : 0)) return undefined;
    if (isStranger) throw refused(cluster, failure);
    if (Date.now() > deadline) throw await notReady(cluster, server, failure);
    await delay(PAUSE);
  }
}

async function connect(cluster: Cluster, port: number, password: string): Promise<Presence> {
  const socket = new Socket();
  const client = new pg.Client({
    host: "127.0.0.1",
    port,
    user: "postgres",
    password,
    database: "postgres",
    application_name: "ingot presence",
    connectionTimeoutMillis: 2_000,
    stream: () => socket,
  });
  // The end of the server is met by whoever uses it; an idle connection has nothing to add.
  client.on("error", () => {});
  try {
    await client.connect();
    // The password alone does not tell copies of one cluster apart.
    const { rows } = await client.query("SELECT current_setting('data_directory') AS data");
    if (rows[0]?.data !== cluster.data) throw refused(cluster, rows[0]?.data);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  socket.unref();
  return presenceOf(client, socket);
}

function presenceOf(client: pg.Client, socket: Socket): Presence {
  /** Only while an answer is awaited does the connection keep this process alive. */
  async function query(sql: string, parameters: readonly string[] = []): Promise<pg.QueryResultRow[]> {
    socket.ref();
    try {
      return (await client.query(sql, [...parameters])).rows;
    } finally {
      socket.unref();
    }
  }
  async function othersAreConnected(): Promise<boolean> {
    const deadline = Date.now() + LINGER;
    while ((await query(OTHERS)).length > 0) {
      if (Date.now() > deadline) return true;
      await delay(PAUSE);
    }
    return false;
  }
  async function end(): Promise<void> {
    if (socket.destroyed) return;
    socket.ref();
    await client.end();
  }
  return { query, othersAreConnected, end };
}

function refused(cluster: Cluster, cause: unknown): TerminalError {
  return new TerminalError(`The Postgres of ${cluster.home} refuses the password it was made with.`, {
    code: "POSTGRES_PASSWORD",
    value: cluster.home,
    next: "Set the old password again (ALTER ROLE postgres PASSWORD, see data/ingot.password), or use another folder.",
    cause,
  });
}

async function notReady(cluster: Cluster, server: Postmaster, cause: unknown): Promise<TransientError> {
  const state = birthOf(server.pid) === server.birth ? "runs" : "has ended";
  const why = messageOf(cause);
  const log = await lastLines(cluster);
  return new TransientError(`Postgres (process ${server.pid}) ${state} but is not ready: ${why}\n${log}`, {
    code: "POSTGRES_NOT_READY",
    value: cluster.home,
    next: "It may still be recovering from a crash: wait and try again.",
    cause,
  });
}
