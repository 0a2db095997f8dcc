/** The process of one Redis server: its configuration file, its start, and whether it answers. */
import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { open, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { messageOf, TerminalError, TransientError } from "../../lakehouse/errors.ts";
import { freePort } from "./free-port.ts";
import { serverEnvironment } from "./processes.ts";

const READY_WITHIN = 20_000;
const CONFIGURATION = "redis.conf";

/** Writes port and password of the next server and returns its address. In a file of mode 0600: every user of the machine can read command lines. */
export async function configure(folder: string): Promise<string> {
  const [port, password] = [await freePort(), randomBytes(24).toString("hex")];
  const lines = [
    "bind 127.0.0.1",
    `port ${port}`,
    `requirepass ${password}`,
    `dir ${JSON.stringify(folder)}`,
    'save ""',
    "appendonly no",
    "daemonize no",
  ];
  const temporary = join(folder, `${CONFIGURATION}.${randomUUID()}`);
  await writeFile(temporary, `${lines.join("\n")}\n`, { mode: 0o600 });
  await rename(temporary, join(folder, CONFIGURATION));
  return urlOf(port, password);
}

/** Address of the server that was last configured, running or not. */
export async function readUrl(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, CONFIGURATION), "utf8").catch(() => "");
  const [port, password] = [/^port (\d+)$/m.exec(text)?.[1], /^requirepass (\w+)$/m.exec(text)?.[1]];
  return port !== undefined && password !== undefined ? urlOf(Number(port), password) : undefined;
}

function urlOf(port: number, password: string): string {
  return `redis://:${password}@127.0.0.1:${port}/0`;
}

/** The process of a server that answers; `undefined` when it ended instead. */
export async function launch(folder: string, binary: string, url: string): Promise<number | undefined> {
  const log = await open(join(folder, "redis.log"), "w", 0o600);
  try {
    const child = spawn(binary, [join(folder, CONFIGURATION)], {
      cwd: folder,
      env: serverEnvironment,
      // A session of its own: Ctrl-C in a terminal reaches this process only, which then decides.
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
    });
    await new Promise((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    child.unref();
    const deadline = Date.now() + READY_WITHIN;
    while (child.exitCode === null && child.signalCode === null) {
      if ((await ask(url)) === child.pid) return child.pid;
      if (Date.now() > deadline) {
        child.kill("SIGKILL");
        throw new TransientError(`Redis in ${folder} does not answer.`, {
          code: "REDIS_NOT_READY",
          value: folder,
        });
      }
      await delay(5);
    }
    return undefined;
  } catch (cause) {
    if (cause instanceof TransientError) throw cause;
    throw new TerminalError(`${binary} cannot be run: ${messageOf(cause)}`, {
      code: "REDIS_NOT_RUNNABLE",
      value: binary,
      next: "Install redis-server, or name another one in INGOT_REDIS_SERVER.",
      cause,
    });
  } finally {
    await log.close();
  }
}

/** The process number of the server at an address; `undefined` when none answers, or one with another password. */
export async function ask(url: string): Promise<number | undefined> {
  const client = new Redis(url, {
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: 2_000,
    commandTimeout: 2_000,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    const pid = /^process_id:(\d+)/m.exec(await client.info("server"))?.[1];
    return pid === undefined ? undefined : Number(pid);
  } catch {
    return undefined;
  } finally {
    client.disconnect();
  }
}
