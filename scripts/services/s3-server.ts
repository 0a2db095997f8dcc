/**
 * An S3 server in a folder, where the machine has the program (versitygw, see install-s3-server.sh). It honours
 * `If-None-Match: *` atomically; listens on 127.0.0.1 with keys of its own; ends with the process that started it,
 * however that ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { access, constants, mkdir, open, readFile } from "node:fs/promises";
import { connect } from "node:net";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { freePort } from "../../jobs/embedded/free-port.ts";
import { codeOf, TransientError } from "../../lakehouse/errors.ts";

const PROGRAM = "versitygw";
const READY_WITHIN_MS = 20_000;
const PORTS_TRIED = 5;

/**
 * Becomes the server, with a watcher beside it that kills it when the pipe on standard input closes: that is what
 * the end of the starter looks like, be it SIGKILL.
 */
const TIED = 'exec 3<&0; (cat <&3 >/dev/null; kill -9 $$) 2>/dev/null & exec 3<&-; exec "$@" </dev/null';

/** A server that answers. */
export interface S3Server {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly pid: number;
  /** Kills the server; what it has acknowledged is in its folder. Idempotent. */
  stop(): Promise<void>;
}

/** Path of versitygw: what INGOT_S3_SERVER names, else the one that the installer made, else the first on PATH. */
export async function findS3Server(environment = process.env): Promise<string | undefined> {
  const named = environment.INGOT_S3_SERVER;
  const cache = environment.XDG_CACHE_HOME || join(homedir(), ".cache");
  const places = named
    ? [named]
    : [
        join(cache, "ingot", "bin", PROGRAM),
        ...(environment.PATH ?? "").split(delimiter).map((folder) => join(folder, PROGRAM)),
      ];
  for (const place of places) {
    const runs = await access(place, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return place;
  }
  return undefined;
}

/**
 * Starts a server whose objects lie below `folder` (which is made); its file system must have extended attributes.
 * Rejects with `S3_START_FAILED` and the end of its log.
 */
export async function startS3(options: {
  readonly folder: string;
  readonly binary: string;
  /** Those of a server that was there before; new ones by default. */
  readonly credentials?: S3Server["credentials"];
}): Promise<S3Server> {
  const data = join(options.folder, "data");
  await mkdir(data, { recursive: true });
  const credentials = options.credentials ?? {
    accessKeyId: `ingot${randomBytes(6).toString("hex")}`,
    secretAccessKey: randomBytes(20).toString("hex"),
  };
  const region = "us-east-1";
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    const child = await launch(options, [
      ...["--quiet", "--keep-alive", "--port", `127.0.0.1:${port}`, "--region", region],
      ...["posix", data],
    ]);
    const ended = once(child, "exit");
    const ready = await Promise.race([answers(port), ended.then(() => false)]);
    if (ready && child.exitCode === null && child.pid !== undefined) {
      return {
        endpoint: `http://127.0.0.1:${port}`,
        region,
        credentials,
        pid: child.pid,
        stop: async () => {
          child.kill("SIGKILL");
          await ended;
        },
      };
    }
    child.kill("SIGKILL");
    const log = (await readFile(join(options.folder, "server.log"), "utf8")).trim().split("\n").slice(-10);
    // Another program may have taken the port since it was found free.
    if (tries < PORTS_TRIED && log.some((line) => line.includes("address already in use"))) continue;
    throw new TransientError(`The S3 server in ${options.folder} did not start:\n${log.join("\n")}`, {
      code: "S3_START_FAILED",
      value: options.binary,
      next: "See the lines of its log above.",
    });
  }

  async function launch(
    where: { readonly folder: string; readonly binary: string },
    args: readonly string[],
  ): Promise<ChildProcess> {
    const log = await open(join(where.folder, "server.log"), "w");
    try {
      const child = spawn("sh", ["-c", TIED, "sh", where.binary, ...args], {
        stdio: ["pipe", log.fd, log.fd],
        env: {
          ...process.env,
          ROOT_ACCESS_KEY: credentials.accessKeyId,
          ROOT_SECRET_KEY: credentials.secretAccessKey,
        },
      });
      child.once("exit", () => child.stdin?.destroy());
      child.stdin?.on("error", () => {});
      return child;
    } finally {
      await log.close();
    }
  }
}

/** Whether something listens on the port before the time is up. */
async function answers(port: number): Promise<boolean> {
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline) {
    const socket = connect(port, "127.0.0.1");
    try {
      await once(socket, "connect");
      return true;
    } catch (error) {
      if (codeOf(error) !== "ECONNREFUSED") throw error;
    } finally {
      socket.destroy();
    }
    await delay(10);
  }
  return false;
}
