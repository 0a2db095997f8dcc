import { readFile, stat, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { type EmbeddedPostgres, releasePostgres, startPostgres } from "../../jobs/embedded/postgres.ts";
import { birthOf } from "../../jobs/embedded/processes.ts";
import { useFolder } from "../support/folder.ts";
import { copyTemplate, THROWAWAY } from "../support/postgres.ts";

const root = useFolder();
const started: EmbeddedPostgres[] = [];

afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
});

test("data is there after a stop and a start", async () => {
  const folder = join(root.path, "restart");
  const first = await start(folder);
  expect(first).toMatchObject({ startedHere: true, folder });
  await ask(first, "CREATE TABLE kept AS SELECT 42 AS n");
  await first.stop();
  expect(birthOf(first.pid)).toBeUndefined();

  const second = await start(folder);
  expect(second.startedHere).toBe(true);
  expect(second.pid).not.toBe(first.pid);
  expect(await ask(second, "SELECT n FROM kept")).toEqual([{ n: 42 }]);
});

test("it replicates, listens on this machine only and keeps strangers out", async () => {
  const folder = await fresh("settings");
  const server = await start(folder);
  const [settings] = await ask(
    server,
    `SELECT current_setting('wal_level') AS wal, current_setting('listen_addresses') AS listen,
            current_setting('fsync') AS fsync, current_database() AS database, current_user AS "user"`,
  );
  expect(settings).toEqual({
    wal: "logical",
    listen: "127.0.0.1",
    fsync: "off",
    database: "ingot",
    user: "postgres",
  });
  await ask(server, "SELECT pg_create_logical_replication_slot('one', 'pgoutput')");
  expect((await stat(join(folder, "data"))).mode & 0o777).toBe(0o700);
  expect((await stat(join(folder, "data", "ingot.password"))).mode & 0o777).toBe(0o600);

  const wrong = new URL(server.connectionString);
  wrong.password = "wrong";
  const client = new pg.Client({ connectionString: wrong.href });
  await expect(client.connect()).rejects.toMatchObject({ code: "28P01" });
});

test("several clusters run side by side", async () => {
  const [one, two] = await Promise.all([start(await fresh("side-1")), start(await fresh("side-2"))]);
  await ask(one, "CREATE TABLE only_in_one (n int)");
  expect(await ask(two, "SELECT to_regclass('only_in_one') AS found")).toEqual([{ found: null }]);
  expect(one.port).not.toBe(two.port);
});

test("of many starts of one folder one starts the server and all use it", async () => {
  const folder = join(root.path, "many");
  const servers = await Promise.all([1, 2, 3, 4].map(() => start(folder)));
  expect(servers.filter((server) => server.startedHere)).toHaveLength(1);
  expect(new Set(servers.map((server) => server.pid)).size).toBe(1);
});

test("stop can be called again, at once, later and by others", async () => {
  const folder = await fresh("stop");
  const first = await start(folder);
  const second = await start(folder);
  await Promise.all([first.stop(), first.stop()]);
  expect(birthOf(first.pid)).toBeUndefined();
  await first.stop();
  await second.stop();
  expect(await releasePostgres(second)).toBe(false);
});

test("release leaves a server that others use, and the last one stops it", async () => {
  const folder = await fresh("release");
  const first = await start(folder);
  const second = await start(folder);
  expect(second.startedHere).toBe(false);
  // The second has no client of its own at the moment; being attached counts.
  expect(await releasePostgres(first)).toBe(false);

  const client = new pg.Client({ connectionString: second.connectionString });
  await client.connect();
  expect(await releasePostgres(second)).toBe(false);
  expect((await client.query("SELECT 1 AS n")).rows).toEqual([{ n: 1 }]);

  const third = await start(folder);
  await client.end();
  expect(await releasePostgres(third)).toBe(true);
  expect(birthOf(third.pid)).toBeUndefined();
});

test("of two that leave at once the second stops the server", async () => {
  const folder = await fresh("both");
  const both = [await start(folder), await start(folder)];
  const stopped = await Promise.all(both.map(releasePostgres));
  expect(stopped.sort()).toEqual([false, true]);
});

test("a replication client that does not answer cannot hold up the end", async () => {
  const folder = await fresh("stuck");
  const server = await start(folder);
  await ask(server, "SELECT pg_create_logical_replication_slot('stuck', 'test_decoding')");
  const consumer = new pg.Client({
    connectionString: server.connectionString,
    ...{ replication: "database" },
  });
  consumer.on("error", () => {});
  await consumer.connect();
  const streaming = new Promise((resolve) => consumer.connection.once("replicationStart", resolve));
  consumer.query("START_REPLICATION SLOT stuck LOGICAL 0/0").catch(() => {});
  await streaming;
  consumer.connection.stream.pause();
  await ask(server, "CREATE TABLE kept AS SELECT generate_series(1, 100) AS n");

  await server.stop({ patience: 100 });
  expect(birthOf(server.pid)).toBeUndefined();
  consumer.connection.stream.destroy();
  expect(await ask(await start(folder), "SELECT count(*)::int AS n FROM kept")).toEqual([{ n: 100 }]);
});

test("a port that is taken is named", async () => {
  const folder = await fresh("port");
  // Answers nothing, as a server with another protocol might.
  const silent: Socket[] = [];
  const taken = createServer((socket) => silent.push(socket));
  const port = await new Promise<number>((resolve) => {
    taken.listen(0, "127.0.0.1", () => {
      const address = taken.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  try {
    const attempt = startPostgres({ folder, port });
    await expect(attempt).rejects.toMatchObject({ code: "POSTGRES_PORT_TAKEN", value: port });
  } finally {
    for (const socket of silent) socket.destroy();
    await new Promise((resolve) => taken.close(resolve));
  }
  expect((await start(folder, { port })).port).toBe(port);
});

test("a server that does not start says what its log says", async () => {
  const attempt = startPostgres({ folder: await fresh("wrong"), settings: { wal_level: "nonsense" } });
  await expect(attempt).rejects.toMatchObject({
    code: "POSTGRES_START_FAILED",
    message: expect.stringContaining("nonsense"),
  });
});

test("a cluster of another version is refused and left alone", async () => {
  const folder = await fresh("version");
  const file = join(folder, "data", "PG_VERSION");
  await writeFile(file, "9\n");
  await expect(startPostgres({ folder })).rejects.toMatchObject({ code: "POSTGRES_VERSION", value: "9" });
  expect(await readFile(file, "utf8")).toBe("9\n");
});

/** A folder with a copy of the template, which is quicker than initdb. */
async function fresh(name: string): Promise<string> {
  const folder = join(root.path, name);
  await copyTemplate(folder);
  return folder;
}

async function start(folder: string, options: { port?: number } = {}): Promise<EmbeddedPostgres> {
  const server = await startPostgres({ folder, settings: THROWAWAY, ...options });
  started.push(server);
  return server;
}

async function ask(server: EmbeddedPostgres, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.connectionString });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
