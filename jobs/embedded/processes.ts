/**
 * What an operating system tells about processes that may not be our children: a server outlives the program that
 * started it, and a number in a pid file may meanwhile belong to somebody else.
 */
import { execFile, execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** Whom a server runs as; `undefined` where that is the user of this process. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** Nothing of ours is inherited: `PGPORT` or `PGOPTIONS` of a shell would change a server; C keeps its log English. */
export const serverEnvironment = { LC_ALL: "C", PATH: process.env.PATH ?? "/usr/bin:/bin" };

const hasProc = existsSync("/proc/self/stat");

/**
 * A text that differs between two processes that had the same number, or `undefined` when no process has it. A
 * process that has ended but was not waited for counts as gone.
 */
export function birthOf(pid: number): string | undefined {
  const line = hasProc ? readProc(pid, "stat") : ps(pid, "state=,lstart=");
  if (line === undefined) return undefined;
  // The second field of stat is the command in brackets, which may hold blanks and brackets itself.
  const fields = (hasProc ? line.slice(line.lastIndexOf(")") + 1) : line).trim().split(/\s+/);
  if (fields[0] === undefined || /^[ZX]/.test(fields[0])) return undefined;
  return hasProc ? fields[19] : fields.slice(1).join(" ");
}

/** The command line of a process, arguments joined by blanks; empty when there is no such process. */
export function commandOf(pid: number): string {
  return (hasProc ? readProc(pid, "cmdline")?.replaceAll("\0", " ") : ps(pid, "command=")) ?? "";
}

/** Waits until the process of that birth is gone; `false` when it still runs after `milliseconds`. */
export async function hasEnded(pid: number, birth: string, milliseconds: number): Promise<boolean> {
  const deadline = Date.now() + milliseconds;
  while (birthOf(pid) === birth) {
    if (Date.now() > deadline) return false;
    await delay(10);
  }
  return true;
}

/** How a short program ended, and all that it wrote. */
export interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

/** Runs a short program to its end. Never throws: a program that cannot be started is an outcome too. */
export function run(file: string, args: readonly string[], user?: ServerUser, cwd = "/"): Promise<Outcome> {
  return new Promise((resolve) => {
    const options = { cwd, env: serverEnvironment, ...user };
    execFile(file, args, options, (error, stdout, stderr) => {
      const output = `${stdout}${stderr}`.trim();
      resolve({ ok: error === null, output: output === "" && error !== null ? error.message : output });
    });
  });
}

function readProc(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return undefined;
  }
}

function ps(pid: number, columns: string): string | undefined {
  try {
    return execFileSync("ps", ["-ww", "-o", columns, "-p", String(pid)], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
      env: serverEnvironment,
    });
  } catch {
    return undefined;
  }
}
