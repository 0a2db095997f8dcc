import { execFile } from "node:child_process";
import { chmod, lstat, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll } from "vitest";
import { findNative, versionOf } from "../../jobs/embedded/binaries.ts";
import { type EmbeddedPostgres, startPostgres } from "../../jobs/embedded/postgres.ts";

/**
 * For clusters that are thrown away: nothing of them has to survive a power cut. Commits stay synchronous: they
 * survive a killed server, and replication hears of them at once.
 */
export const THROWAWAY = { fsync: "off", full_page_writes: "off" };

/** Major version of the Postgres that tests run on. */
export const serverMajor = Number.parseInt(await versionOf(findNative()), 10);

const OWN = "ingot test";
/** Milliseconds in which a connection that a test has just closed may still be listed. */
const LINGER = 2_000;

/** A database for the tests of a file. Both members are for use inside of tests and hooks. */
export interface TestDatabase {
  /** Superuser's connection string. */
  readonly url: string;
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    sql: string,
    parameters?: unknown[],
  ): Promise<Row[]>;
  /** A connection of its own, for a transaction that stays open; the test ends it. */
  connect(): Promise<pg.Client>;
}

/** One cluster for a test file, while any suite of it uses a database. */
const shared = { users: 0, databases: 0, cluster: undefined as Promise<TestCluster> | undefined };

interface TestCluster {
  readonly server: EmbeddedPostgres;
  readonly folder: string;
}

/**
 * A fresh database for the suite (or file) that calls this. At its end everything is stopped and removed; a client
 * that a test left connected fails the suite, with the last query it ran.
 */
export function useDatabase(): TestDatabase {
  let url: string | undefined;
  let pool: pg.Pool | undefined;
  const started = <T>(value: T | undefined): T => {
    if (value === undefined) throw new Error("The database is there only inside of tests and hooks.");
    return value;
  };
  beforeAll(async () => {
    shared.users += 1;
    shared.cluster ??= startCluster();
    const { server } = await shared.cluster;
    const name = `test_${++shared.databases}`;
    const address = new URL(server.connectionString);
    await once(address.href, `CREATE DATABASE ${name}`);
    address.pathname = name;
    url = address.href;
    pool = new pg.Pool({ connectionString: url, max: 4, application_name: OWN });
    // The server's end closes idle connections of a pool; nobody waits for them.
    pool.on("error", () => {});
  });
  afterAll(async () => {
    const name = url === undefined ? "" : new URL(url).pathname.slice(1);
    const leaks = pool === undefined ? [] : await findLeaks(pool, name);
    await pool?.end();
    shared.users -= 1;
    if (shared.users === 0 && shared.cluster !== undefined) {
      const cluster = shared.cluster;
      shared.cluster = undefined;
      await stopCluster(await cluster);
    }
    if (leaks.length > 0) throw new Error(`Clients were left connected:\n${leaks.join("\n")}`);
  });
  return {
    get url() {
      return started(url);
    },
    async query<Row extends pg.QueryResultRow>(sql: string, parameters?: unknown[]) {
      return (await started(pool).query<Row>(sql, parameters)).rows;
    },
    async connect() {
      const client = new pg.Client({ connectionString: started(url) });
      await client.connect();
      return client;
    },
  };
}

async function findLeaks(pool: pg.Pool, database: string): Promise<string[]> {
  const deadline = Date.now() + LINGER;
  for (;;) {
    const { rows } = await pool.query<{ line: string }>(
      `SELECT format('%s (%s, %s): %s', application_name, backend_type, state, query) AS line
       FROM pg_stat_activity
       WHERE datname = $1 AND backend_type IN ('client backend', 'walsender') AND application_name <> $2`,
      [database, OWN],
    );
    if (rows.length === 0 || Date.now() > deadline) return rows.map((row) => row.line);
    await delay(20);
  }
}

async function once(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

async function startCluster(): Promise<TestCluster> {
  const folder = await temporaryFolder("ingot-test-postgres-");
  await copyTemplate(folder);
  return { folder, server: await startPostgres({ folder, settings: THROWAWAY }) };
}

async function stopCluster({ server, folder }: TestCluster): Promise<void> {
  // Whatever still consumes a replication slot was reported above; it must not hold up the end.
  await server.stop({ patience: 2_000 });
  await rm(folder, { recursive: true, force: true });
}

/**
 * Puts a new cluster's data into a folder: a copy of a template that the first test on this machine made, which
 * takes a fraction of the time of making one. All copies have the template's password.
 */
export async function copyTemplate(folder: string): Promise<void> {
  const version = await versionOf(findNative());
  const template = join(tmpdir(), `ingot-postgres-${version}-${process.getuid?.()}`);
  const made = await lstat(template).catch(() => undefined);
  if (made === undefined) await makeTemplate(template);
  else if (made.uid !== process.getuid?.()) throw new Error(`${template} was made by another user.`);
  await mkdir(folder, { recursive: true });
  // Unlike fs.cp, keeps the owner, which is not us when we are root.
  await promisify(execFile)("cp", ["-a", join(template, "data"), folder]);
}

async function makeTemplate(template: string): Promise<void> {
  const folder = await temporaryFolder("ingot-template-");
  const server = await startPostgres({ folder, settings: THROWAWAY });
  await server.stop();
  // Of test files that make it at once the first to rename wins; the others' are as good and not needed.
  await rename(folder, template).catch(() => rm(folder, { recursive: true, force: true }));
}

/** Open to others, since as root the server runs as another user; the data in it is not. */
async function temporaryFolder(prefix: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), prefix));
  await chmod(folder, 0o755);
  return folder;
}
