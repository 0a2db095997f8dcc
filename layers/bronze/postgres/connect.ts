/** Connections to the source database. What can go wrong on the way is told apart here, once. */
import type { Socket } from "node:net";
import pg from "pg";
import { codeOf, IngotError, messageOf, TerminalError, TransientError } from "../../../lakehouse/errors.ts";
import { isPooled, isPoolerRefusal, losesSessions, pooledError } from "./pooler.ts";
import { ReadingSocket } from "./reading-socket.ts";

/**
 * How the session prints values, and that the server does not end it while it works or waits for others. Timeouts
 * that this server's version does not have are left out.
 */
const SESSION_SQL = `
  SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 3;
  SET client_encoding = 'UTF8'; SET bytea_output = 'hex'; SET row_security = off; SET default_transaction_read_only = off;
  SELECT set_config(name, '0', false)
    FROM unnest(ARRAY['statement_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout']) AS name
   WHERE current_setting(name, true) IS NOT NULL;
  SELECT pg_backend_pid() AS backend`;

/** Addresses behind a pooler that gives each client a server of its own. */
const sessionPooled = new Set<string>();

export interface ConnectOptions {
  readonly replication?: "database";
  /** Whether much is read: its socket keeps no buffers, so that it cannot be read as a stream by others. */
  readonly bulk?: boolean;
  /** Milliseconds that the server has to let it in, and for each answer; by default ten seconds, and any time. */
  readonly patience?: number;
}

/**
 * Opens a connection whose session prints values the one way that the bulk path expects. With `row_security` off,
 * Postgres raises an error where a policy would hide rows; hidden rows would look like deleted ones.
 */
export async function connect(connectionString: string, options: ConnectOptions = {}): Promise<pg.Client> {
  const client = newClient(connectionString, options);
  try {
    await client.connect();
    // Several statements give several results; the type of `query` knows of one.
    const results = (await client.query(SESSION_SQL)) as unknown as pg.QueryResult<{ backend?: number }>[];
    const backend = results.at(-1)?.rows[0]?.backend;
    if (backend !== undefined && isPooled(client, backend)) await checkPooler(client, connectionString);
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw error instanceof IngotError ? error : connectionError(error, connectionString);
  }
}

function newClient(
  connectionString: string,
  { bulk = false, patience, ...options }: ConnectOptions & { readonly query_timeout?: number },
): pg.Client {
  try {
    const client = new pg.Client({
      connectionString,
      ...options,
      application_name: "ingot",
      connectionTimeoutMillis: patience ?? 10_000,
      ...(patience === undefined ? {} : { query_timeout: patience }),
      ...(bulk ? { stream: () => new ReadingSocket() } : {}),
      keepAlive: true,
    });
    // Without a listener a connection that drops between statements would end the process.
    client.on("error", () => {});
    return client;
  } catch (cause) {
    throw new TerminalError("the database address cannot be understood", {
      code: "POSTGRES_ADDRESS",
      allowed: "postgres://user:password@host:port/database",
      next: "Check DATABASE_URL or `database` in ingot.config.ts.",
      cause,
    });
  }
}

/** Refuses a pooler whose clients do not keep their server. */
async function checkPooler(client: pg.Client, connectionString: string): Promise<void> {
  if (sessionPooled.has(connectionString)) return;
  const second = newClient(connectionString, { query_timeout: 5_000 });
  try {
    await second.connect();
    // A second client that has to wait for a server: the first keeps its own.
    const loses = await losesSessions(client, second).catch((error: unknown) => {
      if (!/timeout/i.test(messageOf(error))) throw error;
      return false;
    });
    if (loses) throw pooledError(addressOf(connectionString));
    sessionPooled.add(connectionString);
  } finally {
    await second.end().catch(() => {});
  }
}

/** Ends a connection, whatever it is doing: one that is mid-way in a COPY would never answer a polite goodbye. */
export async function disconnect(client: pg.Client): Promise<void> {
  const ended = client.end().catch(() => {});
  const timer = setTimeout(() => {
    (client as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
  }, 500);
  await ended;
  clearTimeout(timer);
}

/** host:port/database of a connection string, for messages. */
function addressOf(connectionString: string): string {
  try {
    const url = new URL(connectionString);
    return `${url.hostname || "localhost"}:${url.port || "5432"}${url.pathname}`;
  } catch {
    return "the database";
  }
}

function userOf(connectionString: string): string {
  try {
    return decodeURIComponent(new URL(connectionString).username);
  } catch {
    return "";
  }
}

function connectionError(error: unknown, connectionString: string): IngotError {
  const value = addressOf(connectionString);
  const code = codeOf(error) ?? "";
  if (isPoolerRefusal(error)) return pooledError(value, error);
  if (["28P01", "28000"].includes(code)) {
    return new TerminalError(`Postgres at ${value} refused the user or the password`, {
      code: "POSTGRES_AUTH",
      value: userOf(connectionString),
      next: "Check user and password in DATABASE_URL, and that pg_hba.conf lets this user in from here.",
      cause: error,
    });
  }
  if (code === "3D000") {
    return new TerminalError(`Postgres at ${value} has no such database`, {
      code: "POSTGRES_DATABASE",
      value,
      next: "Check the name of the database at the end of DATABASE_URL.",
      cause: error,
    });
  }
  const unreachable = [
    "ECONNREFUSED",
    "ENOTFOUND",
    "EHOSTUNREACH",
    "ETIMEDOUT",
    "ECONNRESET",
    "EAI_AGAIN",
    "57P03",
  ];
  const timedOut = /timeout/i.test(messageOf(error));
  if (unreachable.includes(code) || timedOut || error instanceof AggregateError) {
    return new TransientError(`cannot reach Postgres at ${value}`, {
      code: "POSTGRES_UNREACHABLE",
      value: code || messageOf(error),
      next: "Is the server up, and host and port in DATABASE_URL right? `ingot doctor` checks step by step.",
      cause: error,
    });
  }
  return new TerminalError(`Postgres at ${value} refused the connection: ${messageOf(error)}`, {
    code: "POSTGRES_CONNECT",
    value: code,
    next: "`ingot doctor` checks step by step.",
    cause: error,
  });
}
