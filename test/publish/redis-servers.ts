import { type ChildProcess, spawn } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Redis, type RedisOptions } from "ioredis";
import { freePort } from "../../jobs/embedded/free-port.ts";
import { findRedisServer } from "../../jobs/embedded/redis.ts";

/** A server that a test starts with settings of its own, kills, and starts again. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Kills it, as a power cut would. */
  kill(): Promise<void>;
  /** Starts it again in the same folder, on the same port; resolves when it answers. */
  start(): Promise<void>;
  /** One command, on a connection of its own. */
  ask(...command: [string, ...(string | number)[]]): Promise<unknown>;
}

interface Settings {
  readonly folder: string;
  readonly port?: number;
  /** Of redis.conf, by name. */
  readonly settings?: Readonly<Record<string, string>>;
  /** How this test connects, beside host and port. */
  readonly client?: Omit<RedisOptions, "replyMapping">;
  /** As a sentinel, from its configuration file. */
  readonly sentinel?: string;
}

const READY_WITHIN = 30_000;

/** Starts a server that keeps nothing unless its settings say so. */
export async function startServer({
  folder,
  settings = {},
  client,
  ...given
}: Settings): Promise<RedisServer> {
  await mkdir(folder, { recursive: true });
  const port = given.port ?? (await freePort());
  const binary = (await findRedisServer()) ?? "redis-server";
  const all = { save: "", appendonly: "no", dir: folder, bind: "127.0.0.1", port: String(port), ...settings };
  const args = given.sentinel
    ? [given.sentinel, "--sentinel"]
    : Object.entries(all).flatMap(([name, value]) => [
        `--${name}`,
        ...(value === "" ? [""] : value.split(" ")),
      ]);
  let child: ChildProcess | undefined;
  const ask = async (...[command, ...rest]: [string, ...(string | number)[]]) => {
    const connection = new Redis({
      host: "127.0.0.1",
      port,
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      enableReadyCheck: false,
      ...client,
    });
    connection.on("error", () => {});
    try {
      await connection.connect();
      return await connection.call(command, ...rest);
    } finally {
      connection.disconnect();
    }
  };
  const start = async () => {
    child = spawn(binary, args, { cwd: join(folder), stdio: "ignore" });
    const deadline = Date.now() + READY_WITHIN;
    while ((await ask("PING").catch(() => "")) !== "PONG") {
      if (Date.now() > deadline || child.exitCode !== null)
        throw new Error(`redis-server ${args.join(" ")} ended`);
      await delay(10);
    }
  };
  await start();
  return {
    port,
    url: `redis://127.0.0.1:${port}/0`,
    ask,
    start,
    kill: async () => {
      const running = child;
      if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
      const ended = new Promise((resolve) => running.once("exit", resolve));
      running.kill("SIGKILL");
      await ended;
    },
  };
}
