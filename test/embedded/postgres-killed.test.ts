import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, readlink, rm, stat, watch, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { type EmbeddedPostgres, releasePostgres, startPostgres } from "../../jobs/embedded/postgres.ts";
import { birthOf, hasEnded, run } from "../../jobs/embedded/processes.ts";
import { useFolder } from "../support/folder.ts";
import { copyTemplate, THROWAWAY } from "../support/postgres.ts";
import { hold, kill, letGo, spawnHolder } from "./holder.ts";

const root = useFolder();
const started: EmbeddedPostgres[] = [];
const isRoot = process.getuid?.() === 0;
/** `daemon` on every Unix; initdb wants a user that the system knows. */
const ORDINARY = { uid: 1, gid: 1 };
const NOBODY = { uid: 65534, gid: 65534 };
const project = new URL("../..", import.meta.url).pathname;
/** Why the tests as an ordinary user cannot run; they do run as that user when all tests do. */
const cannotSwitch =
  !isRoot || !(await run("/bin/sh", ["-c", `test -r ${project}/package.json`], ORDINARY)).ok;

afterEach(async () => {
  for (const server of started.splice(0)) await server.stop();
});

test("a server that was killed starts again with its data", async () => {
  const folder = await fresh("server");
  const first = await start(folder);
  await ask(first.connectionString, "CREATE TABLE kept AS SELECT 1 AS n");
  await killServer(first.pid);
  const second = await start(folder);
  expect(second.startedHere).toBe(true);
  expect(await ask(second.connectionString, "SELECT n FROM kept")).toEqual([{ n: 1 }]);
});

test("a pid file whose number now belongs to another program does not hold up the start", async () => {
  const folder = await fresh("number");
  const first = await start(folder);
  await killServer(first.pid);
  // As the user that the server runs as: Postgres itself tells other users' processes apart.
  const other = spawn("cat", { stdio: "pipe", cwd: "/", ...(isRoot ? NOBODY : {}) });
  await once(other, "spawn");
  const file = join(folder, "data", "postmaster.pid");
  await writeFile(file, (await readFile(file, "utf8")).replace(/^\d+/, String(other.pid)));
  const second = await start(folder);
  expect(second.startedHere).toBe(true);
  expect(other.exitCode ?? other.signalCode).toBeNull();
  other.stdin.end();
});

test("the server of a killed program is attached to, and stopped by the last one out", async () => {
  const folder = await fresh("program");
  const held = await hold(folder);
  expect(held.startedHere).toBe(true);
  await ask(held.url, "CREATE TABLE kept AS SELECT 2 AS n");
  await kill(held.program);
  expect(birthOf(held.pid)).toBeDefined();

  const heir = await start(folder);
  expect(heir).toMatchObject({ startedHere: false, pid: held.pid });
  expect(await ask(heir.connectionString, "SELECT n FROM kept")).toEqual([{ n: 2 }]);
  expect(await releasePostgres(heir)).toBe(true);
  expect(birthOf(held.pid)).toBeUndefined();
});

test("a program and this one start a folder at once: one starts, the other attaches and keeps it alive", async () => {
  const folder = join(root.path, "rivals");
  const [held, here] = await Promise.all([hold(folder), start(folder)]);
  expect(held.pid).toBe(here.pid);
  expect([held.startedHere, here.startedHere].sort()).toEqual([false, true]);
  expect(await releasePostgres(here)).toBe(false);
  expect(await ask(held.url, "SELECT 3 AS n")).toEqual([{ n: 3 }]);
  await letGo(held);
  expect(birthOf(held.pid)).toBeUndefined();
});

test("a program killed while it makes the cluster leaves nothing half made", async () => {
  const folder = join(root.path, "initdb");
  await mkdir(folder, { recursive: true });
  const program = spawnHolder(folder);
  for await (const { filename } of watch(folder)) {
    if (filename?.startsWith("data.")) break;
  }
  await kill(program);
  await mkdir(join(folder, "data.older.tmp", "base"), { recursive: true });

  const server = await start(folder);
  expect(server.startedHere).toBe(true);
  expect(await ask(server.connectionString, "SELECT 4 AS n")).toEqual([{ n: 4 }]);
  expect(await readdir(folder)).not.toContain("data.older.tmp");
});

test.skipIf(!isRoot)(
  "as root the server runs as nobody, and elsewhere where nobody cannot enter",
  async () => {
    const secret = join(root.path, "secret");
    await mkdir(secret, { mode: 0o700 });
    const folder = join(secret, "postgres");
    const server = await start(folder);
    const elsewhere = await readlink(join(folder, "elsewhere"));
    try {
      expect((await stat(join(elsewhere, "data"))).uid).toBe(NOBODY.uid);
      expect(await start(folder)).toMatchObject({ startedHere: false, pid: server.pid });
      await server.stop();
      expect((await start(folder)).startedHere).toBe(true);
    } finally {
      for (const each of started.splice(0)) await each.stop();
      await rm(elsewhere, { recursive: true });
    }
  },
);

// Skipped unless root runs the tests and ordinary users can read the project: only root can become another user.
test.skipIf(cannotSwitch)(
  "as an ordinary user the server is that user's; root can attach and start it",
  async () => {
    const folder = join(root.path, "ordinary");
    await mkdir(folder);
    await chmod(folder, 0o777);
    const held = await hold(folder, ORDINARY);
    expect((await stat(join(folder, "data"))).uid).toBe(ORDINARY.uid);
    expect(await start(folder)).toMatchObject({ startedHere: false, pid: held.pid });
    await letGo(held);
    expect(birthOf(held.pid)).toBeUndefined();
    expect((await start(folder)).startedHere).toBe(true);
  },
);

async function fresh(name: string): Promise<string> {
  const folder = join(root.path, name);
  await copyTemplate(folder);
  return folder;
}

async function start(folder: string): Promise<EmbeddedPostgres> {
  const server = await startPostgres({ folder, settings: THROWAWAY });
  started.push(server);
  return server;
}

async function killServer(pid: number): Promise<void> {
  const birth = birthOf(pid) ?? "";
  process.kill(pid, "SIGKILL");
  expect(await hasEnded(pid, birth, 5_000)).toBe(true);
}

async function ask(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
