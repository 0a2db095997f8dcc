import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { connect as openSocket } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { freePort } from "../../jobs/embedded/free-port.ts";
import { connect, disconnect } from "../../layers/bronze/postgres/connect.ts";
import { useFolder } from "../support/folder.ts";
import { useDatabase } from "../support/postgres.ts";

const folder = useFolder();
const database = useDatabase();
const running: ChildProcess[] = [];

const binary = [...(process.env.PATH ?? "").split(":"), "/usr/sbin"]
  .map((path) => join(path, "pgbouncer"))
  .find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
if (binary === undefined && process.env.CI) throw new Error("CI needs pgbouncer (Debian: pgbouncer)");
if (binary === undefined) process.stderr.write("skipped: pgbouncer is not on this machine\n");

afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});

/** Starts a pooler in front of the database; answers the address through it. */
async function pooled(mode: string, options = ""): Promise<string> {
  const place = join(folder.path, `pooler-${crypto.randomUUID()}`);
  await mkdir(place);
  await chmod(place, 0o755);
  const port = await freePort();
  const url = new URL(database.url);
  const user = `"${decodeURIComponent(url.username)}" "${decodeURIComponent(url.password)}"\n`;
  await writeFile(join(place, "users.txt"), user);
  await writeFile(
    join(place, "pooler.ini"),
    `[databases]\n* = host=127.0.0.1 port=${url.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = ${port}
unix_socket_dir =\nauth_type = plain\nauth_file = ${join(place, "users.txt")}\npool_mode = ${mode}\n${options}\n`,
  );
  const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  running.push(spawn(binary ?? "", [join(place, "pooler.ini")], { stdio: "ignore", cwd: "/", ...nobody }));
  while (!(await answers(port))) await delay(10);
  url.port = String(port);
  return url.href;
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = openSocket(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

it.skipIf(binary === undefined).each([
  ["transaction", ""],
  ["transaction", "server_round_robin = 1\nmin_pool_size = 3"],
  ["transaction", "default_pool_size = 1"],
  ["statement", ""],
])("a pooler in %s mode is recognised and refused", async (mode, options) => {
  await expect(connect(await pooled(mode, options))).rejects.toMatchObject({ code: "POSTGRES_POOLED" });
});

it.skipIf(binary === undefined)("a pooler in session mode will do, but not for replication", async () => {
  const url = await pooled("session");
  await disconnect(await connect(url));
  await expect(connect(url, { replication: "database" })).rejects.toMatchObject({ code: "POSTGRES_POOLED" });
});
