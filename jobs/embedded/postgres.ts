/**
 * A real Postgres in a folder, for demos, development and tests: made at the first start, kept over restarts, shared
 * by all processes that ask for the same folder. It listens on 127.0.0.1 with a password that only this user can
 * read, has logical replication turned on, and outlives the process that started it until someone stops it.
 */
import { attachOrLaunch } from "./attach.ts";
import { openCluster } from "./cluster.ts";
import { withFolderLock } from "./folder-lock.ts";
import { readPassword } from "./initialise.ts";
import { endPostmaster } from "./postmaster.ts";
import type { Presence } from "./presence.ts";

const DATABASE = "ingot";
/** Milliseconds for a polite shutdown, which writes out all that is in memory. */
const PATIENCE = 20_000;

export interface PostgresOptions {
  /** The cluster's own folder; made when it is missing. Never share it with other files. */
  readonly folder: string;
  /** A free one by default. Without effect on a server that runs already. */
  readonly port?: number;
  /** Server settings such as `{ fsync: "off" }` for a cluster to throw away. Without effect on one that runs. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A server that accepts connections. While this object is in use, others' `releasePostgres` leaves the server be. */
export interface EmbeddedPostgres {
  /** Superuser `postgres` in the database `ingot`. Holds the password: not for logs. */
  readonly connectionString: string;
  readonly port: number;
  /** The server's main process. */
  readonly pid: number;
  readonly folder: string;
  /** `false` when the server was running already. */
  readonly startedHere: boolean;
  /**
   * Stops the server for everyone, whoever started it. Idempotent. After `patience` milliseconds (20 s by default)
   * of polite shutdown the server ends at once and recovers at its next start; no committed row is lost either way.
   */
  stop(options?: { readonly patience?: number }): Promise<void>;
  /** See `releasePostgres`. */
  release(): Promise<boolean>;
}

/**
 * Starts the Postgres of a folder, or attaches to it when it runs. Callers of one folder, in any process, take
 * turns: one starts, the others attach. A start that was killed at any point is finished by the next one.
 *
 * @throws TerminalError `POSTGRES_NOT_INSTALLED`, `POSTGRES_NOT_RUNNABLE`, `POSTGRES_NOT_OURS`, `POSTGRES_VERSION`,
 * `POSTGRES_INITDB_FAILED`, `POSTGRES_START_FAILED`, `POSTGRES_PORT_TAKEN`, `POSTGRES_PASSWORD`.
 * @throws TransientError `POSTGRES_NOT_READY`, `FOLDER_LOCKED`.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const { home } = await openCluster(options.folder);
  return withFolderLock(home, async () => {
    // Again, now that nobody else makes the data folder: its owner decides whom the server runs as.
    const cluster = await openCluster(options.folder);
    const { server, presence, startedHere } = await attachOrLaunch(cluster, {
      port: options.port,
      settings: options.settings ?? {},
    });
    let stopping: Promise<void> | undefined;
    let releasing: Promise<boolean> | undefined;

    async function stop(patience: number): Promise<void> {
      await presence.end();
      await endPostmaster(server, patience);
    }
    // Under the lock: of two that leave at once the second sees that it is the last, and nobody arrives meanwhile.
    async function leave(): Promise<boolean> {
      const isLast = !(await othersAreConnected(presence));
      await (isLast ? instance.stop() : presence.end());
      return isLast;
    }
    const instance: EmbeddedPostgres = {
      connectionString: `postgres://postgres:${await readPassword(cluster)}@127.0.0.1:${server.port}/${DATABASE}`,
      port: server.port,
      pid: server.pid,
      folder: options.folder,
      startedHere,
      stop(how) {
        stopping ??= stop(how?.patience ?? PATIENCE);
        return stopping;
      },
      release() {
        releasing ??= stopping?.then(() => false) ?? withFolderLock(home, leave);
        return releasing;
      },
    };
    await createDatabase(presence).catch(async (error) => {
      await (startedHere ? instance.stop() : presence.end());
      throw error;
    });
    return instance;
  });
}

/**
 * The last one out turns off the light: stops the server when no other client is connected (here or in another
 * process, whoever started it), else leaves it to them. Close your own clients first. Idempotent; `true` when it
 * stopped the server.
 */
export function releasePostgres(instance: EmbeddedPostgres): Promise<boolean> {
  return instance.release();
}

/** A connection that broke tells nothing; then the server is left as it is. */
async function othersAreConnected(presence: Presence): Promise<boolean> {
  return presence.othersAreConnected().catch(() => true);
}

async function createDatabase(presence: Presence): Promise<void> {
  const rows = await presence.query("SELECT FROM pg_database WHERE datname = $1", [DATABASE]);
  if (rows.length === 0) await presence.query(`CREATE DATABASE ${DATABASE}`);
}
