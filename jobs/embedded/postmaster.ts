import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { chown, open, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { codeOf, messageOf, TransientError } from "../../lakehouse/errors.ts";
import type { Binaries } from "./binaries.ts";
import type { Cluster } from "./cluster.ts";
import { makeSocketFolder } from "./initialise.ts";
import { birthOf, commandOf, hasEnded, serverEnvironment } from "./processes.ts";

/** A number that no process can have, on any system. */
const NO_PROCESS = "2147483647";
/** With the name of the socket in it, a longer path does not fit into an address; Postgres would refuse to start. */
const LONGEST_SOCKET_FOLDER = 85;

/** A running server process, told apart from a later one with the same number. */
export interface Postmaster {
  readonly pid: number;
  readonly birth: string;
  readonly port: number;
}

/** Settings every embedded server has unless told otherwise: replication must work without asking. */
const SETTINGS = { wal_level: "logical", max_replication_slots: "32", max_wal_senders: "32" };

/** The server that runs on this data folder, whoever started it; `undefined` when there is none. */
export async function findPostmaster(cluster: Cluster): Promise<Postmaster | undefined> {
  let lines: string[];
  try {
    lines = (await readFile(join(cluster.data, "postmaster.pid"), "utf8")).split("\n");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
  const [pid, port] = [Number(lines[0]), Number(lines[3])];
  const birth = birthOf(pid);
  // Followed by another argument, so that the folder `data` is not taken for `data2`.
  if (birth === undefined || !commandOf(pid).includes(` -D ${cluster.data} -`)) return undefined;
  return { pid, birth, port };
}

/**
 * After a kill and a restart of the machine (or of a container, where numbers are small) the number in postmaster.pid
 * may belong to another program, and Postgres would refuse to start. The number is replaced by an impossible one
 * rather than the file removed: its other lines let Postgres see whether children of the killed server still run.
 * Only under the cluster's lock and when `findPostmaster` found nothing.
 */
export async function disownPidFile(cluster: Cluster): Promise<void> {
  const path = join(cluster.data, "postmaster.pid");
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const [first, ...rest] = text.split("\n");
  if (birthOf(Number(first)) === undefined) return;
  const temporary = `${path}.${randomUUID()}`;
  await writeFile(temporary, [NO_PROCESS, ...rest].join("\n"), { mode: 0o600 });
  if (cluster.user !== undefined) await chown(temporary, cluster.user.uid, cluster.user.gid);
  await rename(temporary, path);
}

/**
 * Starts a server in a session of its own: Ctrl-C in a terminal reaches this process only, which then decides.
 * It does not keep this process alive. Returns before the server is ready.
 */
export async function launch(
  cluster: Cluster,
  binaries: Binaries,
  port: number,
  settings: Readonly<Record<string, string>>,
): Promise<ChildProcess> {
  const socket = await makeSocketFolder(cluster);
  const all = {
    ...SETTINGS,
    ...settings,
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: Buffer.byteLength(socket) <= LONGEST_SOCKET_FOLDER ? socket : "",
  };
  const args = [
    "-D",
    cluster.data,
    ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ];
  const path = logPath(cluster);
  // One log for each start, and the one before: neither grows for ever, and a crash can still be looked up.
  if ((await stat(path).catch(() => undefined)) !== undefined) await rename(path, `${path}.previous`);
  const log = await open(path, "a", 0o600);
  try {
    const child = spawn(binaries.postgres, args, {
      cwd: cluster.home,
      env: serverEnvironment,
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      ...cluster.user,
    });
    await new Promise((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    child.unref();
    return child;
  } finally {
    await log.close();
  }
}

/** The last lines that the server wrote. */
export async function lastLines(cluster: Cluster, count = 15): Promise<string> {
  const text = await readFile(logPath(cluster), "utf8").catch((error) => messageOf(error));
  return text.trimEnd().split("\n").slice(-count).join("\n");
}

/**
 * Ends a server: politely (its clients are cut off, its data written out) for `patience` milliseconds, which a
 * replication client that does not answer can use up, then at once; the next start then recovers from the log.
 */
export async function endPostmaster(server: Postmaster, patience: number): Promise<void> {
  for (const [signal, bound] of [["SIGINT", patience] as const, ["SIGQUIT", 15_000] as const]) {
    if (birthOf(server.pid) !== server.birth) return;
    try {
      process.kill(server.pid, signal);
    } catch (error) {
      if (codeOf(error) !== "ESRCH") throw error;
    }
    if (await hasEnded(server.pid, server.birth, bound)) return;
  }
  throw new TransientError(`Postgres (process ${server.pid}) does not end.`, {
    code: "POSTGRES_STOP_TIMEOUT",
    value: server.pid,
    next: "Look at its log file; end the process by hand if it hangs.",
  });
}

function logPath(cluster: Cluster): string {
  return join(cluster.home, "postgres.log");
}
