/** Connections to the source database. What can go wrong on the way is told apart here, once. */
import type { Socket } from "node:net";
import pg from "pg";
import {
  codeOf,
  type IngotError,
  messageOf,
  TerminalError,
  TransientError,
} from "../../../lakehouse/errors.ts";

/**
 * Opens a connection whose session prints values the one way that the bulk path expects. With `row_security` off,
 * Postgres raises an error where a policy would hide rows; hidden rows would look like deleted ones.
 */
export async function connect(connectionString: string): Promise<pg.Client> {
  let client: pg.Client;
  try {
    client = new pg.Client({
      connectionString,
      application_name: "ingot",
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
    });
  } catch (cause) {
    throw new TerminalError("the database address cannot be understood", {
      code: "POSTGRES_ADDRESS",
      allowed: "postgres://user:password@host:port/database",
      next: "Check DATABASE_URL or `database` in ingot.config.ts.",
      cause,
    });
  }
  // Without a listener a connection that drops between statements would end the process.
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query(
      "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 3; SET client_encoding = 'UTF8'; SET bytea_output = 'hex'; SET row_security = off; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0",
    );
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    throw connectionError(error, connectionString);
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
