import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { ServerUser } from "../../jobs/embedded/processes.ts";

/** What another program that started a Postgres says of it. */
export interface Held {
  readonly program: ChildProcessByStdio<Writable, Readable, null>;
  readonly pid: number;
  readonly startedHere: boolean;
  readonly url: string;
}

/** Runs `hold-postgres.ts` as a program of its own, as another user if wished; it stops the server when let go. */
export function spawnHolder(folder: string, user?: ServerUser): Held["program"] {
  const file = fileURLToPath(new URL("./hold-postgres.ts", import.meta.url));
  return spawn(process.execPath, ["--import", "jiti/register", file, folder], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    env: { ...process.env, JITI_FS_CACHE: "false" },
    stdio: ["pipe", "pipe", "inherit"],
    ...user,
  });
}

/** Starts the program and waits until its server is ready. */
export async function hold(folder: string, user?: ServerUser): Promise<Held> {
  const program = spawnHolder(folder, user);
  const line = await new Promise<string>((resolve, reject) => {
    createInterface(program.stdout).once("line", resolve);
    program.once("exit", (code) => reject(new Error(`The program ended with ${code}.`)));
  });
  return { program, ...JSON.parse(line) };
}

/** Has the program stop its server and end. */
export async function letGo({ program }: Held): Promise<void> {
  program.stdin.end();
  if (program.exitCode === null) await once(program, "exit");
}

/** Ends a program without giving it any chance to do something about it. */
export async function kill(program: Held["program"]): Promise<void> {
  program.kill("SIGKILL");
  if (program.signalCode === null) await once(program, "exit");
}
