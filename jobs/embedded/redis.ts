/**
 * A Redis server in a folder, where the machine has the program: no npm package ships it. Holds nothing over a
 * restart (what is published can be published again); listens on 127.0.0.1 with a password that only this user can
 * read; outlives the process that started it until someone stops it.
 */
import { access, constants, mkdir, readFile, realpath } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { TerminalError } from "../../lakehouse/errors.ts";
import { withFolderLock } from "./folder-lock.ts";
import { birthOf, hasEnded } from "./processes.ts";
import { ask, configure, launch, readUrl } from "./redis-server.ts";

export interface RedisOptions {
  /** The server's own folder; made when it is missing. */
  readonly folder: string;
  /** Path of `redis-server`, see `findRedisServer`. */
  readonly binary: string;
}

/** A server that answers. */
export interface EmbeddedRedis {
  /** Holds the password: not for logs. */
  readonly url: string;
  readonly pid: number;
  /** `false` when the server of this folder was running already. */
  readonly startedHere: boolean;
  /** Stops the server for everyone. Idempotent. */
  stop(): Promise<void>;
}

/** Path of `redis-server`: what INGOT_REDIS_SERVER names, else the first on PATH; `undefined` when there is none. */
export async function findRedisServer(environment = process.env): Promise<string | undefined> {
  const named = environment.INGOT_REDIS_SERVER;
  if (named) {
    if (await isProgram(named)) return named;
    throw new TerminalError(`INGOT_REDIS_SERVER names ${named}, which is no program.`, {
      code: "REDIS_NOT_RUNNABLE",
      value: named,
      allowed: "the path of a redis-server or valkey-server",
      next: "Correct or unset INGOT_REDIS_SERVER.",
    });
  }
  for (const folder of (environment.PATH ?? "").split(delimiter)) {
    const path = join(folder, "redis-server");
    if (folder !== "" && (await isProgram(path))) return path;
  }
  return undefined;
}

/**
 * Starts the Redis of a folder, or attaches to it when it runs. Callers of one folder take turns.
 *
 * @throws TerminalError `REDIS_START_FAILED`, `REDIS_NOT_RUNNABLE`. TransientError `REDIS_NOT_READY`.
 */
export async function startRedis(options: RedisOptions): Promise<EmbeddedRedis> {
  await mkdir(options.folder, { recursive: true });
  const folder = await realpath(options.folder);
  return withFolderLock(folder, async () => {
    const known = await readUrl(folder);
    const running = known && (await ask(known));
    if (known && running) return embedded(known, running, false);
    for (let attempt = 1; ; attempt += 1) {
      const url = await configure(folder);
      const pid = await launch(folder, options.binary, url);
      if (pid !== undefined) return embedded(url, pid, true);
      const log = (await readFile(join(folder, "redis.log"), "utf8"))
        .trimEnd()
        .split("\n")
        .slice(-10)
        .join("\n");
      // Another program may have taken the port since it was found free.
      if (log.includes("Address already in use") && attempt < 5) continue;
      throw new TerminalError(`Redis in ${folder} ended while it started:\n${log}`, {
        code: "REDIS_START_FAILED",
        value: options.binary,
        next: "See the lines of its log above.",
      });
    }
  });
}

function embedded(url: string, pid: number, startedHere: boolean): EmbeddedRedis {
  const birth = birthOf(pid);
  let stopping: Promise<void> | undefined;
  return {
    url,
    pid,
    startedHere,
    stop() {
      stopping ??= birth === undefined ? Promise.resolve() : end(pid, birth);
      return stopping;
    },
  };
}

async function end(pid: number, birth: string): Promise<void> {
  // Nothing is kept, so nothing is lost by the second.
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (birthOf(pid) !== birth) return;
    process.kill(pid, signal);
    if (await hasEnded(pid, birth, 5_000)) return;
  }
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
